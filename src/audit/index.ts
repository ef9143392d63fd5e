/** What was changed, by whom and why: written, read and checked. */
export { type AuditEntry, StepRecorder } from './entry.js';
export { AuditError } from './errors.js';
export { AUDIT_ROOT, auditFiles } from './files.js';
export { openJournal } from './journal.js';
export type { ChangeLine } from './line.js';
export { type AuditLog, type AuditOptions, openAudit } from './log.js';
export {
  type AuditCheck,
  type AuditFilter,
  isMeant,
  latestChanges,
  readAudit,
  verifyAudit,
} from './read.js';
