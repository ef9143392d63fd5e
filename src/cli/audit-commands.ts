/** The commands that read the audit. */
import type { Command } from 'commander';
import { JSON_OPTION } from './options.js';
import type { Terminal } from './terminal.js';

/** Adds `audit show` and `audit verify`. */
export function addAudit(program: Command, terminal: Terminal, setStatus: (status: number) => void): void {
  const load = () => import('./commands/audit.js');
  const audit = program
    .command('audit')
    .summary('what the daemon has changed, for whom and why')
    .description(
      'Reads the audit log that the daemon keeps in /var/log/pvusb. For every change it has who asked for it, what ' +
        'was asked, why, the steps and the result. Each line carries a hash over itself and the line before it.',
    );
  audit
    .command('show')
    .summary('print the changes, oldest first')
    .description('Prints the changes that the daemon has made or tried to make, oldest first. Times are UTC.')
    .option('-g, --guest <domain>', 'only changes to this guest: its name, domid or uuid')
    .option('-d, --device <busid>', 'only changes to this device')
    .option('-s, --since <time>', 'only changes since then: 90m, 24h, 7d ago, or a date (2026-11-28T12:00Z)')
    .option('--json', 'print one JSON object per line')
    .action(async (options: object) => (await load()).runAuditShow(terminal, options));
  audit
    .command('verify')
    .summary('check that the log has not been tampered with')
    .description(
      'Checks every line against the one before it and names the first file and line that does not fit. Exits with 1 ' +
        'if the check fails, or if there is no audit log.',
    )
    .option(...JSON_OPTION)
    .action(async (options: object) => setStatus(await (await load()).runAuditVerify(terminal, options)));
}
