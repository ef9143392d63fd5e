/** The command `import`. */
import type { Command } from 'commander';
import type { ImportCommandOptions } from './commands/import.js';
import { JSON_OPTION } from './options.js';
import type { Terminal } from './terminal.js';

/** Adds `import`. */
export function addImport(program: Command, terminal: Terminal, setStatus: (status: number) => void): void {
  program
    .command('import')
    .summary('convert USBGuard or XAPI rules')
    .description(
      'Converts the rules file of another program into pvusb rules and prints them: rules.conf of USBGuard ' +
        '(usbguard) or usb-policy.conf of XAPI (xapi). Each rule follows the line that it was made from. What cannot ' +
        'be expressed is reported on standard error, line by line, and the result never gives out a device that the ' +
        'file does not allow. Those files name no guests: with --guest, allowed devices are for that guest; without ' +
        'it, only denials are printed. Exits with 1 if something could not be expressed.',
    )
    .argument('<format>', 'usbguard or xapi')
    .argument('<file>', 'the file to convert')
    .option('-g, --guest <domain>', 'the guest that may have what the file allows')
    .option(
      '-m, --mode <mode>',
      'whether it gets them automatically (auto) or on approval (ask, the default)',
    )
    .option(...JSON_OPTION)
    .action(async (format: string, file: string, options: ImportCommandOptions) =>
      setStatus(await (await import('./commands/import.js')).runImport(terminal, { format, file }, options)),
    );
}
