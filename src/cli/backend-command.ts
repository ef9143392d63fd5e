/** The command `backend`. */
import type { Command } from 'commander';
import { sysfsRoot } from './options.js';
import type { Terminal } from './terminal.js';

/** Adds `backend`. */
export function addBackend(program: Command, terminal: Terminal): void {
  program
    .command('backend')
    .summary('serve guests without usbback and without QEMU')
    .description(
      "Serves this host's controllers of type pv, on any kernel, until it is stopped. It takes over from an earlier" +
        ' backend, and guests stay connected while it is restarted. Does not start if usbback is loaded.',
    )
    .option(
      '--virtual <place=device...>',
      'put a virtual device on a port (DOMID/DEVID/PORT): 3/0/1=stick:/IMAGE; for its names see "pvusb attach"',
    )
    .option(
      '--firewall <file>',
      'rules for the requests that guests may send to devices (default: /etc/pvusb/firewall.conf, if it exists)',
    )
    .option('--trace <file>', 'record all transfers in a file that Wireshark reads')
    .option('--trace-secrets', 'also record the data of keyboards and smart card readers')
    .option('--metrics <socket>', 'serve counters on this socket, in the Prometheus text format')
    .addOption(sysfsRoot())
    .action(async (options: object) =>
      (await import('./commands/backend.js')).runBackendCommand(terminal, options),
    );
}
