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
    .summary('serve a simulated host, and change it while it runs')
    .description(
      'Serves a simulated Xen host in a folder: DIR/socket is its xenstored, DIR/sys its sysfs, DIR/qmp-libxl-N ' +
        'the QEMU of domain N. Prints the export ' +
        'lines that make other shells use it, then "ready", and runs until it is stopped. After a crash, start it again ' +
        'with the same folder: what is left there is removed.',
    )
    // Those of the commands below are their own.
    .enablePositionalOptions()
    .option('--dir <dir>', 'the folder')
    .option(
      '--world <file>',
      'a world: written by hand, or printed by "pvusb inventory" (default: a recorded one)',
    )
    .option('--qemu', 'the recorded host without usbback: QEMUs serve its guests')
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
    .summary('the page of the daemon, on a simulated host')
    .description(
      'Starts a simulated host and a daemon, and prints an address to open in a browser, until it is stopped. Nothing ' +
        'of this machine is touched. With --tour it shows the commands instead: it lends a stick to a guest, pulls it ' +
        'out, fixes that, lends another and takes it back.',
    )
    .option('--tour', 'show the commands, not the page')
    .option('--port <port>', 'where the page is served, on 127.0.0.1 (default: any that is free)')
    .action(async ({ tour, ...options }: DemoOptions & { readonly tour?: boolean }) => {
      if (tour) setStatus(await (await import('./commands/tour.js')).runTour(terminal, run));
      else await (await import('./commands/demo.js')).runDemo(terminal, options, run);
    });
}

/** What is done to a host that runs. */
function addChanges(sim: Command, terminal: Terminal): void {
  const load = () => import('./commands/sim-control.js');
  const change = (name: string, description: string, argument: string, meaning: string): Command =>
    sim
      .command(name)
      .description(description)
      .argument(argument, meaning)
      .option('--dir <dir>', "the host's folder (default: that of XENSTORED_PATH)")
      .option(...JSON_OPTION);
  change(
    'plug',
    'Plugs a device into a simulated host that runs: one that was pulled out, or a new one. A hub brings what was behind it.',
    '<busid>',
    'its socket',
  )
    .option('--into <busid>', 'another socket')
    .option('--world <file>', 'a world that has the device')
    .action(async (device: string, _: unknown, command: Command) =>
      (await load()).runSimPlug(terminal, device, command.optsWithGlobals()),
    );
  change(
    'unplug',
    'Pulls a device out of a simulated host that runs, with everything behind it if it is a hub.',
    '<device>',
    'its busid',
  ).action(async (device: string, _: unknown, command: Command) =>
    (await load()).runSimUnplug(terminal, device, command.optsWithGlobals()),
  );
  change(
    'kill-guest',
    'Ends a guest of a simulated host that runs, as "xl destroy" does.',
    '<domain>',
    'its number or its name',
  )
    .option('--leave-records', 'as if its toolstack had died with it: nobody cleans up')
    .action(async (domain: string, _: unknown, command: Command) =>
      (await load()).runSimKillGuest(terminal, domain, command.optsWithGlobals()),
    );
  change(
    'kill-qemu',
    'Kills the QEMU of a guest of a simulated host that runs.',
    '<domain>',
    'its number or its name',
  ).action(async (domain: string, _: unknown, command: Command) =>
    (await load()).runSimKillQemu(terminal, domain, command.optsWithGlobals()),
  );
}
