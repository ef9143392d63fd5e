/**
 * The commands that look after a host: doctor, watch, release; and those that read or write xl's files: apply, prepare,
 * export.
 */
import type { Command } from 'commander';
import type { CommonOptions } from './context.js';
import { addJson, DRY_RUN, JSON_OPTION, sysfsRoot } from './options.js';
import type { RunProgram } from './served-command.js';
import type { Terminal } from './terminal.js';

/** Adds `watch` and `release`. */
export function addGuests(program: Command, terminal: Terminal): void {
  const load = () => import('./commands/watch.js');
  program
    .command('watch')
    .summary("keep guests' devices across reboots; clean up after dead guests")
    .description(
      'Watches guests until it is stopped. Gives back what a dead guest has left behind and its toolstack does not clean ' +
        'up; a guest that comes back (a reboot) gets the devices that it had, and guests get what rules assign to them.',
    )
    .option('--dry-run', 'show what would be done, change nothing')
    .option('--json', 'print one JSON object per line')
    .addOption(sysfsRoot())
    .action(async (options: CommonOptions) => (await load()).runWatch(terminal, options));
  program
    .command('release')
    .summary('take everything from a domain')
    .description(
      "Takes back all of a domain's devices and removes its controllers, at once and without waiting for the guest: one " +
        'that runs loses them as if they were pulled out. Of a domain that is dead, named by its number, it removes what ' +
        'was left behind. Controllers that pvusb cannot serve are left alone.',
    )
    .argument('<domain>')
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (domain: string, options: CommonOptions) =>
      (await load()).runRelease(terminal, domain, options),
    );
}

/** Adds `serve`. */
export function addServe(program: Command, terminal: Terminal, runProgram: RunProgram): void {
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
    .action(async (options: CommonOptions) => (await load()).runServe(terminal, options, runProgram));
  program
    .command('token')
    .summary('let somebody use the API by TCP')
    .description(
      'Makes a token and prints it, this once: only its hash is kept. The daemon knows it at once. A line that is ' +
        'deleted from the file is no longer let in.',
    )
    .argument('<name>', 'who it is for, for the audit')
    .requiredOption('--role <role>', 'viewer, operator or admin')
    .option('--guests <names>', "an operator's guests, with commas (default: all)")
    .option('--devices <names>', "an operator's devices, by busid or ids (default: all)")
    .option('--tokens <file>', 'where it is noted (default: /etc/pvusb/tokens)')
    .action(async (name: string, options: object) =>
      (await import('./commands/token.js')).runToken(terminal, name, options),
    );
}

/** Adds `apply`, `prepare` and `export`. */
export function addFiles(program: Command, terminal: Terminal): void {
  const load = () => import('./commands/apply.js');
  program
    .command('apply')
    .summary("make a domain's USB match its xl.cfg")
    .description(
      "Makes a running domain's USB match the settings usbctrl and usbdev in a file: takes back what the file does not " +
        'name, adds what it names, and leaves alone what already matches. The file is an xl.cfg, or the JSON of ' +
        '"pvusb export --json=libxl"; one that names neither, or belongs to another guest, is refused. What is impossible is refused before anything is changed; ' +
        'after a failure, run it again to continue.',
    )
    .argument('<domain>', 'whose USB it is')
    .argument('<file>', 'its configuration')
    .option('--take-all', 'take everything back when the file names neither usbctrl nor usbdev')
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (domain: string, file: string, options: CommonOptions) =>
      (await load()).runApply(terminal, { domain, file }, options),
    );
  program
    .command('prepare')
    .summary('give a domain its devices before it runs')
    .description(
      'Waits for the domain in a configuration file and gives it the controllers and devices that the file names, and ' +
        'the devices that rules assign to it, if it lacks them, even while it is paused; takes nothing away:\n' +
        '  xl create -p u1.cfg && pvusb prepare u1.cfg && xl unpause u1\n' +
        'Fails if the guest lacks a device that a rule requires. Without a file, rules alone count.',
    )
    .argument('[file]', "the guest's configuration: xl.cfg, or libxl's JSON")
    .option('-d, --domain <domain>', 'the domain (default: the one that the file names)')
    .option('-w, --wait <seconds>', 'how long to wait for it (default: 60)')
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (file: string | undefined, options: CommonOptions) =>
      (await load()).runPrepare(terminal, file, options),
    );
  addJson(program.command('export'))
    .summary("a guest's controllers and devices as xl.cfg")
    .description(
      'Prints the settings usbctrl and usbdev for what a guest has now, to be put into its configuration file. xl names ' +
        'devices by their address, which changes at every replug.',
    )
    .argument('<domain>')
    .addOption(sysfsRoot())
    .action(async (domain: string, options: CommonOptions) =>
      (await import('./commands/export.js')).runExport(terminal, domain, options),
    );
}

/** Adds `doctor`. */
export function addDoctor(program: Command, terminal: Terminal, setStatus: (status: number) => void): void {
  program
    .command('doctor')
    .summary('find half-done work and fix it')
    .description(
      'Finds what is half done or left over: ports of devices that were pulled out, devices that neither the host ' +
        'nor a guest has, a QEMU that has died or does not have what was recorded, saved drivers that nobody needs, ' +
        'controllers of guests that are gone. Shows how it would fix each; --fix does it. It gives devices back to the ' +
        'host, and never takes one from it. ' +
        'Exits with 1 if something is still wrong at the end.',
    )
    .option('--fix', 'fix what is found, and look for drivers for unused devices')
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (options: CommonOptions) =>
      setStatus(await (await import('./commands/doctor.js')).runDoctor(terminal, options)),
    );
}
