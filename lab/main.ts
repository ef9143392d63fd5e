/** The lab's commands: `npm run lab:start -- --cpu hvm`. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { LabError } from './base/error.js';
import { progress } from './base/progress.js';
import { build } from './build/build.js';
import { SUITES, type Suite } from './debian/suites.js';
import { GUESTS, type GuestName, openLab } from './lab/lab.js';
import { installPvusb } from './lab/product.js';
import { byKvm, chosenRelease, type LabOptions, startLab } from './lab/start.js';
import { forgetSnapshots, type SnapshotName } from './machine/snapshots.js';
import { USB_DEVICES, type UsbName } from './machine/usb.js';

const USAGE = `lab build [--fresh]           make what a lab boots from; --fresh: from Debian's newest packages
lab start [options]           start a lab
lab exec 'COMMAND'            run a shell command in dom0
lab guest GUEST 'COMMAND'     run a shell command in a guest
lab guest-start GUEST...      start guests: pv1, pv2; with --cpu hvm also pvh1, hvm1
lab guest-reboot GUEST...     have xl reboot them
lab push FILE... FOLDER       copy files into dom0
lab pull FILE FOLDER          copy a file from dom0 to here
lab usb-add DEVICE            plug a device in: ${Object.keys(USB_DEVICES).join(', ')}
lab usb-del DEVICE            pull it out
lab install [PACKAGE]         install pvusb in dom0: a .deb, or this checkout's package, made if there is none
lab logs                      keep all logs in a folder
lab stop                      end the lab; nothing is kept
lab forget                    remove the snapshots

--name NAME     which lab; several can run side by side (or PVUSB_LAB_NAME; default "default")
--release NAME  Debian's: bookworm, trixie or sid (or PVUSB_LAB_RELEASE; default trixie)
--store c|o     C xenstored or oxenstored
--init busybox|systemd  dom0's first program
--cpu pv|hvm    hvm: a CPU that virtualizes, for PVH and HVM guests; slower for PV
--warm base|guests  resume from a snapshot with dom0 up, or with its guests too; made if there is none
--kvm           use /dev/kvm (or PVUSB_LAB_KVM=1, which the suites also obey)
--icount        time is instructions carried out: slow, for measurements
--share FOLDER  give dom0 a folder as /host
`;

const OPTIONS = {
  name: { type: 'string', default: process.env.PVUSB_LAB_NAME || 'default' },
  release: { type: 'string' },
  store: { type: 'string', default: 'c' },
  init: { type: 'string', default: 'busybox' },
  cpu: { type: 'string', default: 'pv' },
  warm: { type: 'string' },
  kvm: { type: 'boolean', default: byKvm() },
  icount: { type: 'boolean', default: false },
  share: { type: 'string' },
  fresh: { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options'];

type Values = ReturnType<typeof parseWords>['values'];

function parseWords() {
  try {
    return parseArgs({ allowPositionals: true, options: OPTIONS });
  } catch (error) {
    const { message } = error as Error;
    throw new LabError(`${message}\nA command with options goes in quotes: lab exec 'ls -l'`);
  }
}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new LabError(`--${option} ${value}: one of ${allowed.join(', ')}`);
  return found;
}

function releaseOf({ release }: Values): Suite {
  return release === undefined ? chosenRelease() : oneOf('release', release, Object.keys(SUITES) as Suite[]);
}

function startOptions(values: Values): LabOptions {
  const { name, kvm, icount, share, warm } = values;
  return {
    name,
    release: releaseOf(values),
    kvm,
    icount,
    init: oneOf<'busybox' | 'systemd'>('init', values.init, ['busybox', 'systemd']),
    store: oneOf<'c' | 'o'>('store', values.store, ['c', 'o']),
    cpu: oneOf<'pv' | 'hvm'>('cpu', values.cpu, ['pv', 'hvm']),
    warm: warm === undefined ? undefined : oneOf<SnapshotName>('warm', warm, ['base', 'guests']),
    ...(share === undefined ? {} : { share }),
  };
}

function usbName(name: string | undefined): UsbName {
  return oneOf('usb', name ?? '', Object.keys(USB_DEVICES) as UsbName[]);
}

function guestName(name: string): GuestName {
  return oneOf('guest', name, Object.keys(GUESTS) as GuestName[]);
}

/** Carries out a command, and returns the exit status. */
async function perform({ values, positionals }: ReturnType<typeof parseWords>): Promise<number> {
  const [command, ...args] = positionals;
  const lab = () => openLab(values.name);
  switch (command) {
    case 'build':
      await build(releaseOf(values), { fresh: values.fresh });
      progress('built');
      return 0;
    case 'start':
      await startLab(startOptions(values));
      return 0;
    case 'exec':
      return (await lab()).dom0InForeground(args.join(' '));
    case 'guest': {
      const [name = '', ...words] = args;
      const { status, stdout } = await (await lab()).guest(name, words.join(' '), { mayFail: true });
      process.stdout.write(stdout);
      return status;
    }
    case 'guest-start':
      for (const name of args) await (await lab()).startGuest(guestName(name));
      return 0;
    case 'guest-reboot':
      for (const name of args) await (await lab()).rebootGuest(guestName(name));
      return 0;
    case 'push':
      await (await lab()).push(args.slice(0, -1), args.at(-1) ?? '');
      return 0;
    case 'pull':
      await (await lab()).pull(args[0] ?? '', args[1] ?? '.');
      return 0;
    case 'usb-add':
      process.stdout.write(`${await (await lab()).plug(usbName(args[0]))}\n`);
      return 0;
    case 'usb-del':
      await (await lab()).unplug(usbName(args[0]));
      return 0;
    case 'install':
      await installPvusb(await lab(), args[0]);
      return 0;
    case 'logs':
      process.stdout.write(`${await (await lab()).keepLogs()}\n`);
      return 0;
    case 'stop':
      await (await lab()).stop();
      return 0;
    case 'forget':
      await forgetSnapshots();
      return 0;
    case 'help':
      process.stdout.write(USAGE);
      return 0;
    default:
      process.stderr.write(USAGE);
      return 2;
  }
}

try {
  process.exitCode = await perform(parseWords());
} catch (error) {
  if (!(error instanceof LabError)) throw error;
  process.stderr.write(`lab: ${error.message}\n`);
  // Distinct from the exit statuses of what is run in a lab.
  process.exitCode = 125;
}
