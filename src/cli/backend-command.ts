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
      'Serves the controllers of type pv of this host, on any kernel, until it is stopped: it takes over what an earlier ' +
        'one has left, and guests stay connected when it is stopped and started again. Not where usbback is loaded.',
    )
    .option(
      '--virtual <place=device...>',
      'put a virtual device into a port: 3/0/1=stick:IMAGE, read-only-stick:IMAGE, keyboard or source-sink',
    )
    .option(
      '--firewall <file>',
      'rules on what guests may ask of devices (default: /etc/pvusb/firewall.conf, if it is there)',
    )
    .option('--trace <file>', 'record all transfers, as Wireshark reads them')
    .option('--trace-secrets', 'also what keyboards and smart card readers say')
    .option('--metrics <socket>', 'tell counters on this socket, as Prometheus reads them')
    .addOption(sysfsRoot())
    .action(async (options: object) =>
      (await import('./commands/backend.js')).runBackendCommand(terminal, options),
    );
}
