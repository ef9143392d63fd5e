/** `pvusb audit show` and `pvusb audit verify`: what was changed, by whom, and whether anybody has changed that. */
import {
  AUDIT_ROOT,
  type AuditCheck,
  type AuditFilter,
  auditFiles,
  type ChangeLine,
  isMeant,
  readAudit,
  verifyAudit,
} from '../../audit/index.js';
import type { Daemon } from '../../client/index.js';
import { printable } from '../../sysfs/index.js';
import { withAudit } from '../audit-errors.js';
import { printJson } from '../context.js';
import { printableJsonLine, quoteWord } from '../printable.js';
import { usageError } from '../report.js';
import { formatTable } from '../table.js';
import type { Terminal } from '../terminal.js';

/** Options of `show`. */
export interface AuditShowOptions {
  readonly guest?: string;
  readonly device?: string;
  readonly since?: string;
  readonly json?: boolean;
}

/** Prints changes, oldest first. */
export async function runAuditShow(terminal: Terminal, options: AuditShowOptions): Promise<void> {
  const { guest, device, since, json } = options;
  const filter = { guest, device, since: since === undefined ? undefined : parseSince(since, new Date()) };
  const found: ChangeLine[] = [];
  await withAudit(async () => {
    for await (const change of changesIn(terminal, filter)) {
      if (json) terminal.out(`${printableJsonLine(change)}\n`);
      else found.push(change);
    }
  });
  if (json) return;
  if (found.length > 0) return terminal.out(formatChanges(found, terminal.columns));
  const folder = folderOf(terminal);
  const isMissing = !terminal.daemon && (await withAudit(() => auditFiles(folder))).length === 0;
  terminal.out(isMissing ? noLog(folder) : 'No matching changes.\n');
}

/** Who has changed things on the command line would look for them here. */
function noLog(folder: string): string {
  return `There is no audit log in ${printable(folder)}; it begins with the first change that the daemon ("pvusb serve") makes.\n`;
}

function changesIn(terminal: Terminal, filter: AuditFilter): AsyncIterable<ChangeLine> {
  const { daemon, signal } = terminal;
  return daemon ? changesOf(daemon, filter, signal) : readAudit(folderOf(terminal), filter);
}

/** The same from a daemon, some at a time. */
async function* changesOf(
  daemon: Daemon,
  filter: AuditFilter,
  signal: AbortSignal,
): AsyncGenerator<ChangeLine> {
  for (let after = 0; ; ) {
    const { entries } = await daemon.audit({ after, limit: ENTRIES_MAX }, { signal });
    const changes = entries as readonly unknown[] as readonly ChangeLine[];
    for (const change of changes) if (isMeant(change, filter)) yield change;
    const last = changes.at(-1)?.seq;
    if (last === undefined || last <= after || changes.length < ENTRIES_MAX) return;
    after = last;
  }
}

/** So many are asked for at a time. */
const ENTRIES_MAX = 1000;

/** Checks the chain; gives the exit status: 1 if it is broken, or if there is none. */
export async function runAuditVerify(
  terminal: Terminal,
  { json }: { readonly json?: boolean },
): Promise<number> {
  const folder = folderOf(terminal);
  const check = await withAudit(() => verifyAudit(folder));
  if (json) printJson(terminal, check);
  else terminal.out(formatCheck(check, folder));
  return check.broken || check.files === 0 ? 1 : 0;
}

function folderOf({ env }: Terminal): string {
  return env.PVUSB_AUDIT || AUDIT_ROOT;
}

const UNITS: Readonly<Record<string, number>> = { m: 60, h: 3600, d: 86_400 };

/** `90m`, `24h`, `7d`: so long ago; otherwise a date, with or without a time. */
function parseSince(text: string, now: Date): Date {
  const [, number, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  if (number !== undefined && unit !== undefined)
    return new Date(now.getTime() - Number(number) * UNITS[unit]! * 1000);
  const date = new Date(/^\d{4}-\d\d-\d\d/.test(text) ? text : Number.NaN);
  if (!Number.isNaN(date.getTime())) return date;
  const sentence = `--since takes 90m, 24h, 7d, or a date such as 2026-11-28 or 2026-11-28T12:00Z, not ${quoteWord(text)}.`;
  throw usageError(sentence, 'pvusb audit show');
}

function formatChanges(changes: readonly ChangeLine[], columns: number | undefined): string {
  const cells = (cell: (change: ChangeLine) => string) => ({ cells: changes.map(cell) });
  return formatTable(
    [
      { title: 'TIME', ...cells(({ time }) => printable(time.replace('T', ' ').replace(/(\.\d+)?Z$/, ''))) },
      { title: 'NO', ...cells(({ seq }) => String(seq)) },
      { title: 'WHO', ...cells(({ who }) => printable(who.name)) },
      { title: 'WHAT', ...cells(({ what }) => printable(what)) },
      {
        title: 'GUEST',
        ...cells(
          ({ guests = [] }) =>
            guests.map(({ domid, name }) => printable(name ?? `${domid}`)).join(',') || '-',
        ),
      },
      { title: 'DEVICE', ...cells(({ devices = [] }) => devices.map(printable).join(',') || '-') },
      { title: 'RESULT', ...cells(({ error }) => (error ? printable(error.code) : 'done')) },
      { title: 'WHY', ...cells(({ why }) => printable(why ?? '-')), narrowest: 12 },
    ],
    columns,
  );
}

function formatCheck(check: AuditCheck, folder: string): string {
  const { files, lines, first, last, torn, hasEarlier, isOpen, broken } = check;
  if (files === 0) return noLog(folder);
  if (broken) return `The audit log is broken: ${broken.file}, line ${broken.line}: ${broken.why}.\n`;
  const sentences = [
    `The audit log is intact: ${files} ${files === 1 ? 'file' : 'files'}, ${lines} lines, numbered ${first ?? 0} to ${last ?? 0}.`,
    ...(hasEarlier ? ['It continues from older files that have been removed.'] : []),
    ...(torn > 0 ? [`A crash truncated ${torn} ${torn === 1 ? 'line' : 'lines'}.`] : []),
    ...(isOpen ? ['The last line is incomplete: it is being written, or a crash truncated it.'] : []),
  ];
  return `${sentences.join('\n')}\n`;
}
