/** The daemon's commands: `serve` and `token`. */
import type { Command } from 'commander';
import type { CommonOptions } from './context.js';
import { JSON_OPTION, sysfsRoot } from './options.js';
import type { RunProgram } from './served-command.js';
import type { Terminal } from './terminal.js';

/** Adds them. */
export function addDaemon(program: Command, terminal: Terminal, runProgram: RunProgram): void {
  const load = () => import('./commands/serve.js');
  program
    .command('serve')
    .summary('the daemon: applies the rules, serves an API, keeps an audit log')
    .description(
      'Gives devices to guests as the rules say, as soon as they are plugged in; takes a device that is pulled out ' +
        'away from its guest; keeps devices across reboots. Serves an HTTP API on a Unix socket (for root, and for a ' +
        'group if one is named), and optionally on TCP with TLS and tokens. Logs every change it makes: see "pvusb ' +
        'audit". It holds no state in memory that it cannot read again, so it may be killed and restarted at any ' +
        'time. xl and pvusb can be used alongside it.',
    )
    .option('--socket <path>', 'socket of the API (default: /run/pvusb/api.sock)')
    .option('--command-socket <path>', 'socket for launchers (default: /run/pvusb/command.sock)')
    .option('--group <name>', 'members of this group may use the API too')
    .option('--group-role <role>', 'their role: viewer, operator (the default) or admin')
    .option('--listen <address:port>', 'also listen on TCP, for example on 192.0.2.1:8443')
    .option('--name <name:port...>', 'host names by which clients reach it (default: the address)')
    .option(
      '--tls-cert <file>',
      'the TLS certificate, in PEM; required unless the address is a loopback address',
    )
    .option('--tls-key <file>', 'the private key of the certificate')
    .option('--tokens <file>', 'who may connect over TCP (default: /etc/pvusb/tokens); see "pvusb token"')
    .option('--json', 'print one JSON object per line')
    .addOption(sysfsRoot())
    .action(async (options: CommonOptions) => (await load()).runServe(terminal, options, { runProgram }));
  program
    .command('token')
    .summary("let someone use the daemon's TCP port")
    .description(
      'Makes a token for using the daemon over TCP and prints it once: it cannot be shown again. /etc/pvusb/tokens ' +
        'has one line per token with the name, the role and the hash of the token; removing the line revokes access ' +
        'at once. A viewer can see everything; an operator can also attach, detach and so on, for the named guests ' +
        'and devices or for all of them; an admin can also change and override rules.',
    )
    .argument('<name>', 'who it is for')
    .requiredOption('--role <role>', 'viewer, operator or admin')
    .option('--guests <names>', "an operator's guests, by name or uuid, separated by commas (default: all)")
    .option('--devices <names>', "an operator's devices, by busid or ids, separated by commas (default: all)")
    .option('--file <file>', 'the token file (default: /etc/pvusb/tokens)')
    .option(...JSON_OPTION)
    .action(async (name: string, options: CommonOptions) =>
      (await import('./commands/token.js')).runToken(terminal, name, options),
    );
}
