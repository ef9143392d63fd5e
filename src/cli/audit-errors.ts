/** Failures of the audit's files, as the user sees them. */
import { AuditError } from '../audit/index.js';
import { PvusbError } from '../pvusb/index.js';

/** @throws {PvusbError} `audit-failed` for an {@link AuditError} of `body`; what else it throws */
export async function withAudit<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof AuditError)) throw error;
    const remedy =
      error.code === 'locked' ? 'A host can have only one daemon: stop that process first.' : undefined;
    throw new PvusbError('audit-failed', error.message, { cause: error, remedy });
  }
}
