/** The command `import`. */
import type { Command } from 'commander';
import type { ImportCommandOptions } from './commands/import.js';
import { JSON_OPTION } from './options.js';
import type { Terminal } from './terminal.js';

/** Adds `import`. */
export function addImport(program: Command, terminal: Terminal, setStatus: (status: number) => void): void {
  program
    .command('import')
    .summary("make rules of USBGuard's or XAPI's")
    .description(
      'Prints the rules that say what a file of another program says: rules.conf of USBGuard (usbguard), ' +
        'usb-policy.conf of XAPI (xapi). Each comes after the line that it was made of. What cannot be said in rules is ' +
        'reported on standard error, line by line, and nothing is given that the file does not allow. What it allows is ' +
        'for no guest there: with --guest it is for that one, otherwise only denials are printed. ' +
        'Exits with 1 if something could not be said.',
    )
    .argument('<format>', 'usbguard or xapi')
    .argument('<file>', 'the file')
    .option('-g, --guest <domain>', 'the guest that may have what the file allows')
    .option('-m, --mode <mode>', 'whether it gets that by itself (auto) or when asked for (ask, the default)')
    .option(...JSON_OPTION)
    .action(async (format: string, file: string, options: ImportCommandOptions) =>
      setStatus(await (await import('./commands/import.js')).runImport(terminal, { format, file }, options)),
    );
}
