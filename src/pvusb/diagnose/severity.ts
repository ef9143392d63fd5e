/** How bad a finding is. */
import type { Finding, Severity } from '../model/finding.js';
import type { ConfigEdit } from '../model/plan.js';

/** Notes are harmless, or something that only time or a person can tell. */
export function severityOf(finding: Finding): Severity {
  switch (finding.finding) {
    case 'stale-saved-driver':
      return finding.isBack ? 'note' : 'wrong';
    case 'unnoticed-device':
      return finding.isReplugged ? 'wrong' : 'note';
    case 'no-frontend':
    case 'quiesced':
      return 'note';
    case 'config-differs':
      return finding.difference.edits.every(isIgnored) ? 'note' : 'wrong';
    default:
      return 'wrong';
  }
}

/** An entry for a device that the guest does not have: libxl ignores it, unless it names no port. */
function isIgnored(edit: ConfigEdit): boolean {
  return edit.edit === 'remove-device' && edit.ctrl >= 0 && edit.port >= 1;
}
