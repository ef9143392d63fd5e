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
      'The daemon writes down every change in /var/log/pvusb: who asked for it, what was asked, why, its steps and its ' +
        'result. Each line has a hash over itself and the line before.',
    );
  audit
    .command('show')
    .summary('print the changes, oldest first')
    .description('Prints the changes that the daemon has made or tried, oldest first. Times are UTC.')
    .option('-g, --guest <domain>', 'only those of this guest: its name, number or uuid')
    .option('-d, --device <busid>', 'only those of this device')
    .option('-s, --since <time>', 'not those before: 90m, 24h, 7d ago, or a date (2026-11-28T12:00Z)')
    .option('--json', 'print one JSON object per line')
    .action(async (options: object) => (await load()).runAuditShow(terminal, options));
  audit
    .command('verify')
    .summary('check that nobody has changed it')
    .description(
      'Checks every line against the one before it, and names the first file and line where that fails. Exits with 1 ' +
        'if it fails, or if there is no audit.',
    )
    .option(...JSON_OPTION)
    .action(async (options: object) => setStatus(await (await load()).runAuditVerify(terminal, options)));
}
