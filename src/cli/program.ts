/** The command line of pvusb: its own commands in plain words, and xl's. */
import { Command, CommanderError, Option } from 'commander';
import { USUAL_VERSION } from '../libxl/index.js';
import { addAudit } from './audit-commands.js';
import { addBackend } from './backend-command.js';
import type { CommonOptions } from './context.js';
import { ADD_DESCRIPTION, PORTS_HELP, TYPE_NAMES } from './controller-help.js';
import { addDaemon } from './daemon-commands.js';
import { addDoctor, addFiles, addGuests } from './hints.js';
import { refuseMisuse } from './misuse.js';
import { addJson, DRY_RUN, FORCE, JSON_LIBXL, JSON_OPTION, sysfsRoot } from './options.js';
import { addQemu } from './qemu-commands.js';
import { addQuiesce } from './quiesce-commands.js';
import { aim, HOST_OPTIONS } from './remote/aim.js';
import { asksForJson, reportError, usageError, withHelp } from './report.js';
import { addRequests } from './request-commands.js';
import { addRules } from './rule-commands.js';
import { addSimulation } from './simulation.js';
import type { Terminal } from './terminal.js';
import { VERSION } from './version.js';
import { commandOf, HELP, isCommand } from './words.js';
import { isXlCommand, runXlCommand, xlCommands } from './xl/commands.js';

/** Runs a command line (without the program's name) and gives its exit status. */
export async function runProgram(terminal: Terminal, argv: readonly string[]): Promise<number> {
  try {
    const aimed = await aim(terminal, () => buildProgram(terminal), argv);
    return await runWords(aimed.terminal, aimed.argv);
  } catch (error) {
    return reportError(terminal, error, asksForJson(argv));
  }
}

async function runWords(terminal: Terminal, argv: readonly string[]): Promise<number> {
  const [first, ...rest] = argv;
  if (first !== undefined && isXlCommand(first)) return runXlCommand(terminal, first, rest);
  if (first === 'help' && rest.length > 0) return runWords(terminal, [...rest, '--help']);
  // What follows "--" is not an option, whatever it looks like.
  const end = argv.indexOf('--');
  const options = end === -1 ? argv : argv.slice(0, end);
  let exitStatus = 0;
  const setStatus = (status: number): void => {
    exitStatus = status;
  };
  const program = buildProgram(terminal, setStatus);
  try {
    if (first === 'complete') {
      const { runComplete } = await import('./completion.js');
      await runComplete(terminal, program, rest);
      return 0;
    }
    if (first === undefined) {
      terminal.out(program.helpInformation());
      return 0;
    }
    // Of what is no command there is no help: the word is refused instead.
    const asked = isCommand(program, options) ? options : options.filter((word) => !HELP.includes(word));
    const words = asked.map((word) => (word === '--json=libxl' ? JSON_LIBXL : word));
    await program.parseAsync([...words, ...argv.slice(options.length)], { from: 'user' });
    return exitStatus;
  } catch (error) {
    const isHelp = error instanceof CommanderError;
    if (isHelp && error.exitCode === 0) return 0;
    const words = commandOf(program, options);
    const refused = isHelp ? usageError('A command is missing.', words) : withHelp(error, words);
    return reportError(terminal, refused, asksForJson(options));
  }
}

const INTRODUCTION = `Lends the USB devices of a Xen host to its guests.

A device is named by its busid (3-1.5: stays the same as long as the plug is in
the same socket), its address (3.11), its ids (46f4:0001), or its ids and serial
number (46f4:0001:LAB0001). A domain is named by its domid or its name.`;

const EXAMPLES = `
Examples:
  pvusb devices                  what is plugged into this host, and who has it
  pvusb attach u1 4-1            lend the device in socket 4-1 to the guest u1
  pvusb list                     who has what
  pvusb detach 4-1               take it back
  pvusb doctor                   what is half done or left over; --fix repairs it
  pvusb demo                     all of this on a simulated host

Exit status: 0 success, 1 refused (nothing changed), 2 invalid command line,
3 host problem, 4 try again, 5 something is left over (see "pvusb doctor"),
6 done but the output could not be written, 130 interrupted.`;

/** The program with all its commands; also what completion is made from. */
export function buildProgram(
  terminal: Terminal,
  setStatus: (status: number) => void = () => undefined,
): Command {
  const program = new Command('pvusb')
    .description(INTRODUCTION)
    .addHelpText('after', EXAMPLES)
    .version(VERSION, '-V, --version', 'print the version')
    // Only before a command: after one it would swallow what was asked for.
    .enablePositionalOptions()
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command...]', 'show help for a command')
    .showSuggestionAfterError()
    .configureHelp({ helpWidth: 80, showGlobalOptions: false })
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .exitOverride();
  for (const [flags, description] of HOST_OPTIONS) program.option(flags, description);
  addReading(program, terminal);
  addWriting(program, terminal);
  addController(program, terminal);
  addRules(program, terminal, setStatus);
  addDoctor(program, terminal, setStatus);
  addGuests(program, terminal);
  addDaemon(program, terminal, runProgram);
  addRequests(program, terminal);
  addQemu(program, terminal);
  addQuiesce(program, terminal, setStatus);
  addBackend(program, terminal);
  addFiles(program, terminal);
  addAudit(program, terminal, setStatus);
  addSimulation(program, terminal, setStatus, runProgram);
  addCompletion(program, terminal);
  addXl(program);
  refuseMisuse(program, 'pvusb');
  return program;
}

function addReading(program: Command, terminal: Terminal): void {
  program
    .command('devices')
    .summary("the host's USB devices and who has them")
    .description(
      'Shows the USB devices of the host: which driver or guest has each one, and whether it can be attached ("in ' +
        'use": a guest has it; "half attached": see "pvusb doctor"; otherwise, what the host itself needs it for). ' +
        'LISTED AS is what usb.ids calls a device. A narrow terminal, or COLUMNS, gets fewer columns, shorter names, ' +
        'and only the serial numbers that tell devices with the same ids apart.',
    )
    .option('-a, --all', 'show root hubs too')
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (options: CommonOptions) =>
      (await import('./commands/devices.js')).runDevices(terminal, options),
    );
  addJson(program.command('list'))
    .summary('domains with their controllers, ports and devices')
    .description(
      'Shows what each guest has, or only one guest. A device that was pulled out is marked MISSING.',
    )
    .argument('[domain]', 'one domain only')
    .addOption(sysfsRoot())
    .action(async (domain: string | undefined, options: CommonOptions) =>
      (await import('./commands/list.js')).runList(terminal, domain, options),
    );
  program
    .command('inventory')
    .summary('the whole host as JSON')
    .description(
      'Prints everything that pvusb sees of this host as JSON. "pvusb sim --world FILE" simulates it.',
    )
    .option('--json', 'no effect: the output is JSON anyway')
    .addOption(sysfsRoot())
    .action(async (options: CommonOptions) =>
      (await import('./commands/inventory.js')).runInventory(terminal, options),
    );
}

function addWriting(program: Command, terminal: Terminal): void {
  program
    .command('attach')
    .summary('lend a device to a domain')
    .description(
      'Lends a USB device to a domain: on the given port, on the first free one, or on a new controller. If ' +
        'anything fails, or on Ctrl-C, the host is left as it was. A device that the host needs (a mounted disk, its ' +
        'only keyboard...) is refused. While "pvusb backend" is running, virtual devices can be lent, too: stick:/IMAGE and ' +
        'read-only-stick:/IMAGE (a file or a block device), keyboard, and source-sink.',
    )
    .argument('<domain>', 'the guest that gets it, by name or number')
    .argument('<device>', 'busid, bus.address, vendor:product[:serial]; or a virtual device')
    .option('-c, --controller <devid>', 'use this controller')
    .option('-p, --port <port>', 'use this port of the controller')
    .option(...FORCE)
    .option('--always', 'also make a rule: see "assign"')
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (domain: string, device: string, options: CommonOptions) =>
      (await import('./commands/attach.js')).runAttach(terminal, { domain, device }, options),
    );
  program
    .command('detach')
    .summary('take a device back')
    .description(
      'Takes a device back and returns it to the driver that it had on the host. A device that was pulled out can ' +
        'still be named by its busid. After a failure, run it again: it continues where it stopped.',
    )
    .usage('[options] <device>\n       pvusb detach [options] <domain> <controller> <port>')
    .argument('<device...>', 'the device; or a domain, a controller and a port')
    .option('-d, --domain <domain>', 'only from this domain')
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (names: string[], options: CommonOptions) =>
      (await import('./commands/attach.js')).runDetach(terminal, names, options),
    );
}

function addController(program: Command, terminal: Terminal): void {
  const load = () => import('./commands/controller.js');
  const controller = program
    .command('controller')
    .summary('add, remove, destroy or show a USB controller')
    .description(
      'Manages the virtual USB controllers of domains. "attach" adds one automatically if needed.',
    );
  controller
    .command('add')
    .summary('add a USB controller to a domain')
    .description(ADD_DESCRIPTION)
    .argument('<domain>')
    .option('-t, --type <type>', `${TYPE_NAMES} (default: auto)`)
    .option('-u, --usb <version>', `USB version (default: ${USUAL_VERSION})`)
    .addOption(new Option('--version [version]').hideHelp())
    .option('-n, --ports <number>', PORTS_HELP)
    .option('--devid <devid>', 'its number (default: the next free one)')
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (domain: string, options: CommonOptions) =>
      (await load()).runControllerAdd(terminal, domain, options),
    );
  for (const destroy of [false, true]) {
    controller
      .command(destroy ? 'destroy' : 'remove')
      .summary(destroy ? 'remove a controller without waiting for the guest' : 'remove a controller')
      .description(
        destroy
          ? 'Detaches the devices of a controller and removes it without waiting for the guest.'
          : 'Detaches the devices of a controller, waits for the guest to release it, and removes it.',
      )
      .argument('<domain>')
      .argument('<devid>')
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .addOption(sysfsRoot())
      .action(async (domain: string, devid: string, options: CommonOptions) =>
        (await load()).runControllerRemove(terminal, { domain, devid, destroy }, options),
      );
  }
  addJson(controller.command('info'))
    .summary('everything about a controller')
    .description('Shows everything about a controller; values written by the guest are marked as such.')
    .argument('<domain>')
    .argument('<devid>')
    .addOption(sysfsRoot())
    .action(async (domain: string, devid: string, options: CommonOptions) =>
      (await load()).runControllerInfo(terminal, { domain, devid }, options),
    );
}

function addCompletion(program: Command, terminal: Terminal): void {
  program
    .command('completion')
    .summary('print the completion script for a shell')
    .description(
      'Prints the script with which a shell completes commands, domains and devices:\n' +
        '  bash: pvusb completion bash > /etc/bash_completion.d/pvusb\n' +
        '  zsh:  pvusb completion zsh > /usr/local/share/zsh/site-functions/_pvusb\n' +
        '  fish: pvusb completion fish > ~/.config/fish/completions/pvusb.fish',
    )
    .argument('<shell>', 'bash, zsh or fish')
    .action(async (shell: string) => (await import('./completion.js')).runCompletion(terminal, shell));
}

/** Listed for help and completion; handled by a parser of their own, before this one. */
function addXl(program: Command): void {
  program.commandsGroup("xl's commands, with xl's arguments, output and exit status:");
  for (const { name, usage, summary } of xlCommands()) {
    program
      .command(name)
      .summary(summary)
      .description(summary)
      .usage(usage)
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .addOption(sysfsRoot());
  }
}
