/**
 * A running lab: a machine with Xen, a dom0, guests and USB devices. This is what its tests use.
 *
 *     await using lab = await Lab.start({ name: 'smoke', warm: 'guests' });
 *     const before = await lab.state();
 *     await lab.dom0('pvusb attach pv2 4-1');
 *     const { stdout } = await lab.guest('pv2', 'stick-md5 LAB0001 data.bin');
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Built, build } from './build.js';
import { LabError } from './error.js';
import { keepLogs } from './logs.js';
import { type MachineFiles, type MachineOptions, machineFiles, qemuArguments } from './machine.js';
import { loadState, plugIn, pullOut } from './monitor.js';
import { cacheFolder, labFolder, socketFolder } from './paths.js';
import { freePort, powerOff, powerOn, runningPid, waitForBoot } from './power.js';
import type { Outcome } from './process.js';
import { progress } from './progress.js';
import { makeDisks, makeSnapshot, type SnapshotName, snapshotFolder, stateFile } from './snapshots.js';
import { quote, Ssh } from './ssh.js';
import { type Dom0State, readState } from './state.js';
import { busidOf, USB_DEVICES, type UsbBus, type UsbDevice, type UsbName, usbDevice } from './usb.js';

/** How a lab is started. */
export interface LabOptions extends Partial<MachineOptions> {
  /** Labs of different names run side by side; `default` unless given. */
  readonly name?: string;
  /** Start from this snapshot, which is made first if there is none, instead of booting. */
  readonly warm?: SnapshotName | undefined;
}

/** A command that is carried out in a lab. */
export interface CommandOptions {
  /** What it reads. */
  readonly input?: string | Buffer;
  /** An exit status other than 0 is an answer, too. */
  readonly mayFail?: boolean;
  /** How long a guest may take; 60 s unless given. */
  readonly withinSeconds?: number;
}

/** The guests of the lab, and the CPU that their kind needs. */
export const GUESTS = { pv1: 'pv', pv2: 'pv', pvh1: 'hvm', hvm1: 'hvm' } as const;

/** The name of a guest of the lab. */
export type GuestName = keyof typeof GUESTS;

/** By `guest-exec` in dom0: the guest did not answer. */
const NO_ANSWER = 125;

/** What is known of a lab that runs, in a file of its folder. */
interface LabRecord {
  readonly sshPort: number;
  readonly options: MachineOptions;
  readonly built: Built;
}

/** A running lab. Disposing of it stops it; nothing that happened in it is kept. */
export class Lab implements AsyncDisposable {
  readonly name: string;
  /** What it was started with. */
  readonly options: MachineOptions;
  readonly #ssh: Ssh;
  readonly #files: MachineFiles;

  private constructor(name: string, record: LabRecord) {
    this.name = name;
    this.options = record.options;
    this.#files = filesOf(name);
    this.#ssh = new Ssh(record.sshPort, join(socketFolder(name), 'ssh'));
  }

  /**
   * Starts a lab, building first what is missing or older than its sources.
   *
   * @throws {LabError} when a lab of this name runs, or dom0 does not come up
   */
  static async start({ name = 'default', warm, ...chosen }: LabOptions = {}): Promise<Lab> {
    if (!/^[\w.-]{1,40}$/.test(name)) throw new LabError(`${name}: the name of a lab is letters and digits`);
    const files = filesOf(name);
    if ((await runningPid(files)) !== undefined) {
      throw new LabError(`the lab ${name} runs already; npm run lab:stop -- --name ${name}`);
    }
    const built = await build();
    const options: MachineOptions = { cpu: 'pv', store: 'c', kvm: false, share: emptyFolder(), ...chosen };
    const snapshot = warm && (await Lab.#provideSnapshot(warm, built, options));
    for (const folder of [labFolder(name), socketFolder(name)]) {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true, mode: 0o700 });
    }
    await mkdir(emptyFolder(), { recursive: true });
    await makeDisks(files, built, snapshot);
    const record: LabRecord = { sshPort: await freePort(), options, built };
    await writeFile(recordPath(name), JSON.stringify(record));
    const lab = new Lab(name, record);
    try {
      progress(snapshot ? `continuing from the snapshot ${warm}` : 'booting Xen and dom0');
      await powerOn(qemuArguments(name, built, files, record.sshPort, options, snapshot !== undefined));
      if (snapshot) await lab.#wake(snapshot);
      else await waitForBoot(files);
      await lab.#expectDevices();
      if (chosen.share !== undefined) await lab.dom0(MOUNT_SHARE);
    } catch (error) {
      await powerOff(files);
      throw error;
    }
    progress(`the lab ${name} is up`);
    return lab;
  }

  /**
   * A lab that was started before, maybe by another process.
   *
   * @throws {LabError} when none of this name runs
   */
  static async open(name = 'default'): Promise<Lab> {
    if ((await runningPid(filesOf(name))) === undefined) {
      throw new LabError(`the lab ${name} does not run; npm run lab:start -- --name ${name}`);
    }
    return new Lab(name, JSON.parse(await readFile(recordPath(name), 'utf8')) as LabRecord);
  }

  /**
   * Runs a shell command in dom0.
   *
   * @throws {LabError} with what it printed, when its exit status is not 0, unless it `mayFail`
   */
  async dom0(command: string, { input, mayFail = false }: CommandOptions = {}): Promise<Outcome> {
    const outcome = await this.#ssh.run(command, input);
    if (outcome.status !== 0 && !mayFail) throw failed('dom0', command, outcome);
    return outcome;
  }

  /** Runs a command in dom0 that has this process's terminal, and gives its exit status. */
  async dom0InForeground(command: string): Promise<number> {
    return this.#ssh.runInForeground(command);
  }

  /**
   * Runs a shell command in a guest, on its console; what it prints on stderr is in `stdout`, too.
   *
   * @throws {LabError} when there is no such guest or it does not answer; and as {@link dom0}
   */
  async guest(name: string, command: string, options: CommandOptions = {}): Promise<Outcome> {
    const { mayFail = false, withinSeconds = 60 } = options;
    const outcome = await this.#ssh.run(`guest-exec ${quote(name)} ${quote(command)} ${withinSeconds}`);
    if (outcome.status === NO_ANSWER && outcome.stderr !== '') throw new LabError(outcome.stderr.trim());
    if (outcome.status !== 0 && !mayFail) throw failed(name, command, outcome);
    return outcome;
  }

  /**
   * Starts a guest of `lab/guest` and waits until it answers. `settings` are as xl has them:
   * `on_reboot="destroy"`.
   */
  async startGuest(name: GuestName, ...settings: readonly string[]): Promise<void> {
    if (GUESTS[name] === 'hvm' && this.options.cpu !== 'hvm' && !this.options.kvm) {
      throw new LabError(`${name} needs a CPU that virtualizes: start the lab with --cpu hvm`);
    }
    progress(`starting ${name}`);
    await this.dom0(['guest-start', name, ...settings.map(quote)].join(' '));
  }

  /**
   * Plugs a device in, into its own socket or another one, and waits until dom0 has it.
   *
   * @returns its bus id: `4-1`
   */
  async plug(name: UsbName, socket?: { readonly bus: UsbBus; readonly port: string }): Promise<string> {
    return this.plugDevice(name, { ...usbDevice(name), ...socket });
  }

  /** Plugs in any device that QEMU has, as {@link plug} does. */
  async plugDevice(id: string, device: UsbDevice): Promise<string> {
    await plugIn(this.#files.qmpSocket, id, device);
    const busid = busidOf(device);
    await this.#waitForDevices([busid]);
    return busid;
  }

  /** Pulls a device out, and waits until dom0 has noticed. `busid` is where it was, if not in its own socket. */
  async unplug(id: string, busid?: string): Promise<void> {
    await pullOut(this.#files.qmpSocket, id);
    const known: UsbDevice | undefined = (USB_DEVICES as Readonly<Record<string, UsbDevice>>)[id];
    const place = busid ?? (known && busidOf(known));
    if (place !== undefined) await this.dom0(`udevadm wait -t 30 --removed ${SYSFS}/${place}`);
  }

  /** What dom0 looks like now, for {@link differences}. */
  async state(): Promise<Dom0State> {
    return readState(this.#ssh);
  }

  /** Copies files and folders into a folder of dom0. */
  async push(sources: readonly string[], folder: string): Promise<void> {
    await this.#ssh.push(sources, folder);
  }

  /** Copies a file or folder of dom0 into a folder here. */
  async pull(source: string, folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    await this.#ssh.pull(source, folder);
  }

  /** Keeps everything that tells what happened, and gives the folder's name. */
  async keepLogs(
    folder = join(cacheFolder(), 'logs', `${new Date().toISOString()}-${this.name}`),
  ): Promise<string> {
    await keepLogs(folder, this.#files, this.#ssh);
    return folder;
  }

  /** Ends the lab. */
  async stop(): Promise<void> {
    await this.#ssh.close();
    await powerOff(this.#files);
    await rm(socketFolder(this.name), { recursive: true, force: true });
    // The console's text stays until the next start.
    for (const file of [this.#files.disk, this.#files.stick('stick'), this.#files.stick('stick2')]) {
      await rm(file, { force: true });
    }
  }

  /** As {@link stop}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  static async #provideSnapshot(name: SnapshotName, built: Built, options: MachineOptions): Promise<string> {
    const folder = snapshotFolder(name, built, options);
    if (existsSync(folder)) return folder;
    progress(`making the snapshot ${name}`);
    const lab = await Lab.start({
      ...options,
      name: `snapshot-${name}-${process.pid}`,
      share: emptyFolder(),
    });
    try {
      if (name === 'guests') {
        const names = Object.keys(GUESTS) as GuestName[];
        const isPossible = (guest: GuestName) => GUESTS[guest] === 'pv' || options.cpu === 'hvm';
        for (const guest of names.filter(isPossible)) await lab.startGuest(guest);
      }
      for (const [id] of unsavedDevices()) await lab.unplug(id);
      await lab.dom0('umount /host 2> /dev/null || true; sync');
      await lab.#ssh.close();
      progress('saving');
      await makeSnapshot(lab.#files, folder);
    } finally {
      await lab.stop();
    }
    return folder;
  }

  /** Goes on from a snapshot, with the clock set right and the devices that no snapshot has. */
  async #wake(snapshot: string): Promise<void> {
    await loadState(this.#files.qmpSocket, stateFile(snapshot));
    for (const [id, device] of unsavedDevices()) await plugIn(this.#files.qmpSocket, id, device);
    await this.dom0(`date -s @${Math.floor(Date.now() / 1000)}`);
  }

  async #expectDevices(): Promise<void> {
    await this.#waitForDevices(Object.values(USB_DEVICES).map(busidOf));
  }

  async #waitForDevices(busids: readonly string[]): Promise<void> {
    const paths = busids.map((busid) => `${SYSFS}/${busid}`);
    await this.dom0(`udevadm wait -t 60 --settle ${paths.join(' ')}`);
  }
}

const SYSFS = '/sys/bus/usb/devices';

const MOUNT_SHARE = 'mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 host /host';

function unsavedDevices(): [string, UsbDevice][] {
  const all: [string, UsbDevice][] = Object.entries(USB_DEVICES);
  return all.filter(([, device]) => device.isUnsaved);
}

function failed(where: string, command: string, { status, stdout, stderr }: Outcome): LabError {
  return new LabError(`in ${where}: ${command}\nexit status ${status}\n${stdout}${stderr}`.trimEnd());
}

function filesOf(name: string): MachineFiles {
  return machineFiles(labFolder(name), socketFolder(name));
}

function recordPath(name: string): string {
  return join(labFolder(name), 'lab.json');
}

/** What dom0 is shown of this machine when nothing is shared. */
function emptyFolder(): string {
  return join(cacheFolder(), 'nothing');
}
