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
