/** The commands about devices that wait for a word: requests, allow, refuse. */
import type { Command } from 'commander';
import type { CommonOptions } from './context.js';
import { DRY_RUN, JSON_OPTION } from './options.js';
import type { Terminal } from './terminal.js';

/** Adds them. */
export function addRequests(program: Command, terminal: Terminal): void {
  const load = () => import('./commands/requests.js');
  program
    .command('requests')
    .summary('devices that wait for a word')
    .description(
      'Shows the devices that a rule of mode "ask" would give to a guest. The daemon (pvusb serve) keeps them: it is asked ' +
        'at its socket, /run/pvusb/api.sock or PVUSB_API_SOCKET.',
    )
    .option(...JSON_OPTION)
    .action(async (options: CommonOptions) => (await load()).runRequests(terminal, options));
  program
    .command('allow')
    .summary('give a device that waits to its guest')
    .description('Has the daemon give a device that waits for a word to its guest.')
    .argument('<id>', 'as "requests" prints it')
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .action(async (id: string, options: CommonOptions) =>
      (await load()).runAnswer(terminal, { id, grant: true }, options),
    );
  program
    .command('refuse')
    .summary('keep a device that waits from its guest')
    .description(
      'Says that the guest does not get the device, until it is plugged in again or the guest starts again. "assign --deny" ' +
        'is for ever.',
    )
    .argument('<id>', 'as "requests" prints it')
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .action(async (id: string, options: CommonOptions) =>
      (await load()).runAnswer(terminal, { id, grant: false }, options),
    );
}
