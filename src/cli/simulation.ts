/** The commands of simulated hosts: sim and demo. */
import type { Command } from 'commander';
import type { DemoOptions } from './commands/demo.js';
import type { SimOptions } from './commands/sim.js';
import type { Run } from './commands/tour.js';
import { JSON_OPTION, XENSTORE_HELP } from './options.js';
import { usageError } from './report.js';
import type { Terminal } from './terminal.js';

/** Adds `sim`, what is done to a simulated host while it runs, and `demo`, which runs other commands with `run`. */
export function addSimulation(
  program: Command,
  terminal: Terminal,
  setStatus: (status: number) => void,
  run: Run,
): void {
  const sim = program
    .command('sim')
    .summary('run a simulated host, and change it while it runs')
    .description(
      'Runs a simulated Xen host in a folder: DIR/socket is its xenstored, DIR/sys its sysfs, DIR/qmp-libxl-N the ' +
        'QEMU of domain N. Prints the export lines with which other shells use it, then "ready", and runs until it is' +
        ' stopped. After a crash, start it again with the same folder: leftover files are removed.',
    )
    // Those of the commands below are their own.
    .enablePositionalOptions()
    .option('--dir <dir>', 'the folder')
    .option(
      '--world <file>',
      'the host to simulate: a hand-written world, or the output of "pvusb inventory" (default: a built-in recording)',
    )
    .option('--qemu', 'the built-in recording without usbback: QEMUs serve its guests')
    .option('--xenstore <release>', XENSTORE_HELP)
    // What is none of the commands below is refused as an unknown one.
    .allowExcessArguments()
    .action(async ({ dir, ...rest }: Partial<SimOptions>, { args }: Command) => {
      if (args.length > 0) throw usageError(`Unknown command '${args[0]}'.`, 'pvusb sim');
      if (dir === undefined) throw usageError("Required option '--dir <dir>' not specified.", 'pvusb sim');
      await (await import('./commands/sim.js')).runSim(terminal, { dir, ...rest });
    });
  addChanges(sim, terminal);
  program
    .command('demo')
    .summary("the daemon's web page, on a simulated host")
    .description(
      'Starts a simulated host and a daemon, prints a URL to open in a browser, and runs until it is stopped. ' +
        'Nothing on this machine is touched. With --tour it shows the commands instead: it lends a stick to a guest, ' +
        'pulls it out, fixes that, lends another one and takes it back.',
    )
    .option('--tour', 'show the commands instead of the page')
    .option('--port <port>', 'the port of the page on 127.0.0.1 (default: any free one)')
    .action(async ({ tour, ...options }: DemoOptions & { readonly tour?: boolean }) => {
      if (tour) setStatus(await (await import('./commands/tour.js')).runTour(terminal, run));
      else await (await import('./commands/demo.js')).runDemo(terminal, options, run);
    });
}

/** What is done to a host that runs. */
function addChanges(sim: Command, terminal: Terminal): void {
  const load = () => import('./commands/sim-control.js');
  const change = (
    name: string,
    [summary, description]: readonly [string, string],
    argument: string,
    meaning: string,
  ): Command =>
    sim
      .command(name)
      .summary(summary)
      .description(description)
      .argument(argument, meaning)
      .option('--dir <dir>', "the host's folder (default: that of XENSTORED_PATH)")
      .option(...JSON_OPTION);
  change(
    'plug',
    [
      'plug a device in',
      'Plugs a device into a running simulated host: one that was pulled out, or a new one. A hub brings back the devices that were behind it.',
    ],
    '<busid>',
    'its socket',
  )
    .option('--into <busid>', 'a different socket')
    .option('--world <file>', 'a world that contains the device')
    .action(async (device: string, _: unknown, command: Command) =>
      (await load()).runSimPlug(terminal, device, command.optsWithGlobals()),
    );
  change(
    'unplug',
    [
      'pull a device out',
      'Pulls a device out of a running simulated host, with everything behind it if it is a hub.',
    ],
    '<device>',
    'its busid',
  ).action(async (device: string, _: unknown, command: Command) =>
    (await load()).runSimUnplug(terminal, device, command.optsWithGlobals()),
  );
  change(
    'kill-guest',
    ['destroy a guest', 'Destroys a guest of a running simulated host, as "xl destroy" does.'],
    '<domain>',
    'its number or its name',
  )
    .option('--leave-records', 'as if its toolstack had died too: nothing is cleaned up')
    .action(async (domain: string, _: unknown, command: Command) =>
      (await load()).runSimKillGuest(terminal, domain, command.optsWithGlobals()),
    );
  change(
    'kill-qemu',
    ['kill the QEMU of a guest', 'Kills the QEMU of a guest of a running simulated host.'],
    '<domain>',
    'its number or its name',
  ).action(async (domain: string, _: unknown, command: Command) =>
    (await load()).runSimKillQemu(terminal, domain, command.optsWithGlobals()),
  );
}
