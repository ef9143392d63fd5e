/** The commands about rules: which guest gets which device. */
import type { Command } from 'commander';
import { NAMED_BY } from '../rules/index.js';
import type { CommonOptions } from './context.js';
import { addImport } from './import-options.js';
import { DRY_RUN, JSON_OPTION, sysfsRoot } from './options.js';
import type { Terminal } from './terminal.js';

/** Adds `assign`, `unassign`, `assignments`, `explain`, `check`, `import` and `reconcile`. */
export function addRules(program: Command, terminal: Terminal, setStatus: (status: number) => void): void {
  addChanges(program, terminal, setStatus);
  addAnswers(program, terminal, setStatus);
  addImport(program, terminal, setStatus);
}

function addChanges(program: Command, terminal: Terminal, setStatus: (status: number) => void): void {
  const load = () => import('./commands/assign.js');
  program
    .command('assign')
    .summary('make a rule: this device is for this guest')
    .description(
      'Writes a rule for a plugged-in device to /etc/pvusb/assignments.conf. The rule identifies the device by its ' +
        'serial number if that is unique, otherwise by its socket, unless --by says otherwise. "reconcile" applies ' +
        'the rules. With --deny the guest must not have the device; "*" means every guest.',
    )
    .argument('<domain>', 'the guest, by name or number')
    .argument('<device>', 'busid, bus.address, vendor:product or vendor:product:serial')
    .option(
      '-b, --by <keys>',
      `what identifies the device: ${NAMED_BY.join(', ')}; separate several with commas`,
    )
    .option('--ask', 'the guest gets it only when someone allows it')
    .option('--required', 'the guest must have it: "prepare" fails without it')
    .option('--deny', 'the guest must not have it')
    .option('--every', 'all matching devices, not just one of them')
    .option('-c, --controller <devid>', 'on this controller')
    .option('-p, --port <port>', 'on this port of the controller')
    .option('--uuid', 'name the guest by its uuid, which stays the same if it is renamed')
    .option('--dry-run', 'print the rule, write nothing')
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (domain: string, device: string, options: CommonOptions) =>
      (await load()).runAssign(terminal, { domain, device }, options),
    );
  program
    .command('unassign')
    .summary('remove a rule')
    .description(
      'Removes a rule from /etc/pvusb/assignments.conf: the one on a given line ("assignments.conf:3", as ' +
        '"assignments" and "explain" print it), or those of a guest that match a device. Devices that the guest ' +
        'already has stay attached.',
    )
    .usage('[options] <rule>\n       pvusb unassign [options] <domain> <device>')
    .argument('<rule...>', 'a rule by its file and line; or a guest and a device')
    .option('--dry-run', 'print what would be removed, write nothing')
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (names: string[], options: CommonOptions) =>
      (await load()).runUnassign(terminal, names, options),
    );
  program
    .command('reconcile')
    .summary('give guests the devices that rules assign to them')
    .description(
      'Attaches, in one pass, every device that the rules assign to a running guest and that the guest lacks. Takes' +
        ' nothing from a guest, unless --move is given and the device belongs to another guest. Failures are reported' +
        ' and do not stop the rest.',
    )
    .argument('[domain]', 'only this guest')
    .option('--move', 'take a device from a guest if it belongs to another one')
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (domain: string | undefined, options: CommonOptions) =>
      setStatus(await (await import('./commands/reconcile.js')).runReconcile(terminal, domain, options)),
    );
}

function addAnswers(program: Command, terminal: Terminal, setStatus: (status: number) => void): void {
  program
    .command('assignments')
    .summary('the rules that give devices to guests, and their state')
    .description(
      'Shows every rule that gives a device to a guest and its state: present, pending, missing, conflicting or ' +
        'denied, and why.',
    )
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (options: CommonOptions) =>
      (await import('./commands/assignments.js')).runAssignments(terminal, options),
    );
  program
    .command('explain')
    .summary('which rules apply to a device, and why')
    .description(
      'Shows every rule that matches a device, which of them wins, and why the others do not; with a guest, also ' +
        `that guest's rules that do not match, and why not. --host reads a recorded host ("pvusb inventory") instead ` +
        'of this one.',
    )
    .argument('<device>', 'busid, bus.address, vendor:product or vendor:product:serial')
    .argument('[domain]', 'a guest, by name or number')
    .option('--host <file>', 'the output of "pvusb inventory", which includes the rules')
    .option('--rules <dir>', 'the folder of rules (or PVUSB_RULES; default: /etc/pvusb)')
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (device: string, domain: string | undefined, options: CommonOptions) =>
      (await import('./commands/explain.js')).runExplain(terminal, { device, domain }, options),
    );
  program
    .command('check')
    .summary('find mistakes in the rules')
    .description(
      'Reads the rules and shows errors (exit status 1) and doubtful rules: those that can never apply, contradict ' +
        'each other, name unknown guests, or match nothing that is plugged in.',
    )
    .option('--rules <dir>', 'the folder of rules (or PVUSB_RULES; default: /etc/pvusb)')
    .option(...JSON_OPTION)
    .addOption(sysfsRoot())
    .action(async (options: CommonOptions) =>
      setStatus(await (await import('./commands/check.js')).runCheck(terminal, options)),
    );
}
