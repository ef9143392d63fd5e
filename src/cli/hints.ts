/**
 * The commands that look after a host: doctor, watch, release; those that read or write xl's files: apply, prepare,
 * export; and that of the daemon: token.
 */
import type { Command } from 'commander';
import type { CommonOptions } from './context.js';
import { addJson, DRY_RUN, JSON_OPTION, sysfsRoot } from './options.js';
import type { Terminal } from './terminal.js';

/** Adds `watch` and `release`. */
export function addGuests(program: Command, terminal: Terminal): void {
  const load = () => import('./commands/watch.js');
  program
    .command('watch')
    .summary("keep guests' devices across reboots; clean up after dead guests")
    .description(
      'Watches guests until it is stopped. Cleans up what a dead guest left behind if its toolstack does not; gives' +
        ' a guest that comes back (a reboot) the devices that it had; and gives guests what rules assign to them.',
    )
    .option('--dry-run', 'show what would be done, change nothing')
    .option('--json', 'print one JSON object per line')
    .addOption(sysfsRoot())
    .action(async (options: CommonOptions) => (await load()).runWatch(terminal, options));
  program
    .command('release')
    .summary('take everything from a domain')
    .description(
      "Takes back all of a domain's devices and removes its controllers, immediately and without waiting for the " +
        'guest: a running guest loses them as if they had been pulled out. If the domain is dead (name it by its ' +
        'domid), whatever it left behind is removed. Controllers that pvusb cannot serve are left alone.',
    )
    .argument('<domain>')
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (domain: string, options: CommonOptions) =>
      (await load()).runRelease(terminal, domain, options),
    );
}

/** Adds `apply`, `prepare` and `export`. */
export function addFiles(program: Command, terminal: Terminal): void {
  const load = () => import('./commands/apply.js');
  program
    .command('apply')
    .summary("make a domain's USB match its xl.cfg")
    .description(
      "Makes a running domain's USB match the settings usbctrl and usbdev in a file: takes back what the file does " +
        'not name, adds what it names, and leaves alone what already matches. The file is an xl.cfg, or the JSON ' +
        'printed by pvusb export --json=libxl; a file that contains neither setting, or belongs to another guest, is ' +
        'refused. Anything impossible is refused before any change is made; after a failure, run it again to ' +
        'continue.',
    )
    .argument('<domain>', 'the domain to change')
    .argument('<file>', 'its configuration file')
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
      'Waits for the domain in a configuration file and gives it the controllers and devices that the file names ' +
        'and the devices that rules assign to it, as far as it lacks them, even while it is paused. Takes nothing ' +
        'away:\n' +
        '  xl create -p u1.cfg && pvusb prepare u1.cfg && xl unpause u1\n' +
        'Fails if the guest lacks a device that a rule requires. Without a file, only the rules count.',
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
    .summary("a guest's controllers and devices in xl.cfg syntax")
    .description(
      'Prints the settings usbctrl and usbdev for what a guest has now, ready to be put into its configuration ' +
        'file. xl names devices by their address, which changes whenever they are replugged.',
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
        'nor a guest has, a QEMU that has died or does not have what was recorded, saved drivers that are no longer ' +
        'needed, controllers of guests that no longer exist. Shows how it would fix each; --fix does it. It gives ' +
        'devices back to the host and never takes one from it. Exits with 1 if something is still wrong at the end.',
    )
    .option('--fix', 'fix what is found, and look for drivers for devices without one')
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (options: CommonOptions) =>
      setStatus(await (await import('./commands/doctor.js')).runDoctor(terminal, options)),
    );
}
