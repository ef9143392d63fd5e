/** The commands that give a guest a QEMU and take it away: qemu start, qemu stop. */
import type { Command } from 'commander';
import type { CommonOptions } from './context.js';
import { DRY_RUN, JSON_OPTION, sysfsRoot } from './options.js';
import type { Terminal } from './terminal.js';

/** Adds them. */
export function addQemu(program: Command, terminal: Terminal): void {
  const qemu = program
    .command('qemu')
    .summary('start or stop a QEMU for a guest that has none')
    .description('Manages QEMUs for PV and PVH guests that were created without one.');
  for (const verb of ['start', 'stop'] as const) {
    qemu
      .command(verb)
      .summary(verb === 'start' ? 'start a QEMU for a guest' : 'stop a QEMU that pvusb has started')
      .description(
        verb === 'start'
          ? 'Starts a QEMU for a PV or PVH guest that was created without one, as "xl create" would have: the guest ' +
              'can then have controllers of type qusb, if the QEMU is older than 10.0. xl stops it when the guest ends. ' +
              'Only needed where "pvusb backend" is not used.'
          : 'Stops the QEMU that "pvusb qemu start" has started, if it no longer serves any controller.',
      )
      .argument('<domain>', 'the guest')
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .addOption(sysfsRoot())
      .action(async (domain: string, options: CommonOptions) =>
        (await import('./commands/qemu.js')).runQemu(terminal, { verb, domain }, options),
      );
  }
}
