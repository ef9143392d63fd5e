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
    .summary('the daemon: follows the rules, serves an API, writes an audit')
    .description(
      'Gives devices to guests as rules say, the moment they are plugged in; takes a device that is pulled out from its ' +
        'guest; keeps devices across reboots. Serves an HTTP API on a Unix socket (root, and a group if named), and on TCP ' +
        'with TLS and tokens if told to. Writes down what it changes: see "pvusb audit". It keeps nothing in memory that ' +
        'it cannot read again: it may be killed and started at any time. xl and pvusb work beside it.',
    )
    .option('--socket <path>', 'the API (default: /run/pvusb/api.sock)')
    .option('--command-socket <path>', 'commands of launchers (default: /run/pvusb/command.sock)')
    .option('--group <name>', 'its members may use the API, too')
    .option('--group-role <role>', 'as viewer, operator (the default) or admin')
    .option('--listen <address:port>', 'also on TCP: 192.0.2.1:8443')
    .option('--name <name:port...>', 'how clients call that (default: the address)')
    .option(
      '--tls-cert <file>',
      "the certificate, in PEM; needed unless it is one of this host's own addresses",
    )
    .option('--tls-key <file>', 'its key')
    .option('--tokens <file>', 'who may come by TCP (default: /etc/pvusb/tokens); see "pvusb token"')
    .option('--json', 'print one JSON object per line')
    .addOption(sysfsRoot())
    .action(async (options: CommonOptions) => (await load()).runServe(terminal, options, { runProgram }));
  program
    .command('token')
    .summary("let somebody use the daemon's TCP port")
    .description(
      'Makes a token by which somebody may use the daemon over TCP, and prints it: it is not shown again. A line of ' +
        '/etc/pvusb/tokens has the name, the role and the hash of the token; whoever is taken out of that file is ' +
        'refused at once. A viewer sees everything; an operator also attaches, detaches and the like, for the guests and ' +
        'devices named, or for all; an admin also changes rules and overrides them.',
    )
    .argument('<name>', 'who it is for')
    .requiredOption('--role <role>', 'viewer, operator or admin')
    .option('--guests <names>', "an operator's guests, by name or uuid, with commas (default: all)")
    .option('--devices <names>', "an operator's devices, by busid or ids, with commas (default: all)")
    .option('--file <file>', 'the file of tokens (default: /etc/pvusb/tokens)')
    .option(...JSON_OPTION)
    .action(async (name: string, options: CommonOptions) =>
      (await import('./commands/token.js')).runToken(terminal, name, options),
    );
}
