/** The commands that take a guest's devices off it for a while: quiesce, restore, quiesced. */
import type { Command } from 'commander';
import type { CommonOptions } from './context.js';
import { DRY_RUN, JSON_OPTION, sysfsRoot } from './options.js';
import type { Terminal } from './terminal.js';

/** Adds them. */
export function addQuiesce(program: Command, terminal: Terminal, setStatus: (status: number) => void): void {
  const load = () => import('./commands/quiesce.js');
  program
    .command('quiesce')
    .summary('take all devices off a guest for a while')
    .description(
      'Takes all devices off a guest before a snapshot, a backup, "xl save" or a migration, and prints a token: ' +
        '"restore" puts them back as they were. What the guest had is on disk before the first device is taken, and until ' +
        'it is restored no rule gives it anything. Run again, it goes on, and prints the same token:\n' +
        '  token=$(pvusb quiesce --controllers u1) && xl save u1 u1.save\n' +
        '  xl restore u1.save && pvusb restore "$token"',
    )
    .argument('<domain>', 'the guest')
    .option('--controllers', 'remove its controllers too, for guests that are suspended')
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (domain: string, options: CommonOptions) =>
      (await load()).runQuiesce(terminal, domain, options),
    );
  program
    .command('restore')
    .summary('give a quiesced guest its devices back')
    .description(
      'Gives a guest back what "quiesce" took from it, whatever its number is now: controllers that it lacks, and each ' +
        'device in its port, or in another one if that is taken. What cannot be put back (it was pulled out) is reported, ' +
        'and the token stays good for it: run it again.',
    )
    .argument('<token>', 'what "quiesce" has printed, or the name of the guest')
    .option('--forget', 'put nothing back, and give up what is missing')
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (token: string, options: CommonOptions) =>
      setStatus(await (await load()).runRestore(terminal, token, options)),
    );
  program
    .command('quiesced')
    .summary('the guests that are quiesced')
    .description('Shows which guests are quiesced, and what each is to get back.')
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (options: CommonOptions) => (await load()).runQuiesced(terminal, options));
}
