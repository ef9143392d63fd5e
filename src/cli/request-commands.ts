/** The commands about devices waiting for approval: requests, allow, refuse. */
import type { Command } from 'commander';
import type { CommonOptions } from './context.js';
import { DRY_RUN, JSON_OPTION } from './options.js';
import type { Terminal } from './terminal.js';

/** Adds them. */
export function addRequests(program: Command, terminal: Terminal): void {
  const load = () => import('./commands/requests.js');
  program
    .command('requests')
    .summary('devices waiting for approval')
    .description(
      'Shows the devices that a rule of mode "ask" would give to a guest; answer with "allow" or "refuse". The list ' +
        'is kept by the daemon (pvusb serve), which is queried on its socket, /run/pvusb/api.sock or PVUSB_API_SOCKET.',
    )
    .option(...JSON_OPTION)
    .action(async (options: CommonOptions) => (await load()).runRequests(terminal, options));
  program
    .command('allow')
    .summary('give a waiting device to its guest')
    .description('Tells the daemon to give a device that is waiting for approval to its guest.')
    .argument('<id>', 'as "requests" prints it')
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .action(async (id: string, options: CommonOptions) =>
      (await load()).runAnswer(terminal, { id, grant: true }, options),
    );
  program
    .command('refuse')
    .summary('keep a waiting device from its guest')
    .description(
      'Withholds the device from the guest until it is plugged in again or the guest is restarted. Use "assign ' +
        '--deny" to withhold it permanently.',
    )
    .argument('<id>', 'as "requests" prints it')
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .action(async (id: string, options: CommonOptions) =>
      (await load()).runAnswer(terminal, { id, grant: false }, options),
    );
}
