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
    .summary("detach all of a guest's devices temporarily")
    .description(
      'Detaches all devices from a guest before a snapshot, a backup, "xl save" or a migration, and prints a token ' +
        'with which "restore" puts them back as they were. What the guest had is written to disk before the first ' +
        'device is detached, and until it is restored no rule gives the guest anything. If interrupted, run it again:' +
        ' it continues and prints the same token.\n' +
        '  token=$(pvusb quiesce --controllers u1) && xl save u1 u1.save\n' +
        '  xl restore u1.save && pvusb restore "$token"',
    )
    .argument('<domain>', 'the guest')
    .option('--controllers', 'remove its controllers too; needed if the guest will be suspended')
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
      'Gives a guest back what "quiesce" took from it, whatever its domid is now: controllers that it lacks, and ' +
        'each device on its old port, or on another one if that is taken. What cannot be put back (because it was ' +
        'pulled out, for example) is reported; the token remains valid for it, so run the command again.',
    )
    .argument('<token>', 'what "quiesce" printed, or the name of the guest')
    .option('--forget', 'put nothing back; discard the record')
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (token: string, options: CommonOptions) =>
      setStatus(await (await load()).runRestore(terminal, token, options)),
    );
  program
    .command('quiesced')
    .summary('the quiesced guests')
    .description('Shows which guests are quiesced, and what each of them will get back.')
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (options: CommonOptions) => (await load()).runQuiesced(terminal, options));
}
