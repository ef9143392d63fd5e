/**
 * A running lab: a machine with Xen, a dom0, guests and USB devices. This is what tests use.
 *
 *     await using lab = await startLab({ name: 'smoke', warm: 'guests' });
 *     const before = await lab.state();
 *     await lab.dom0('pvusb attach pv2 4-1');
 *     const { stdout } = await lab.guest('pv2', 'stick-md5 LAB0001 data.bin');
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError } from '../base/error.js';
import { cacheFolder, socketFolder } from '../base/paths.js';
import type { Outcome } from '../base/process.js';
import { progress } from '../base/progress.js';
import { keepLogs } from '../machine/logs.js';
import type { MachineFiles, MachineOptions } from '../machine/machine.js';
import { plugIn, pullOut } from '../machine/monitor.js';
import { powerOff } from '../machine/power.js';
import { filesOf, type LabRecord, readRecord } from '../machine/running.js';
import { quote, Ssh } from '../machine/ssh.js';
import {
  busidOf,
  USB_DEVICES,
  type UsbBus,
  type UsbDevice,
  type UsbName,
  usbDevice,
} from '../machine/usb.js';
import { type Dom0State, readPart, readState } from './state.js';

/** A command that is carried out in a lab. */
interface CommandOptions {
  /** Its input; in dom0 only. */
  readonly input?: string | Buffer;
  /** An exit status other than 0 is also an answer. */
  readonly mayFail?: boolean;
  /** How long a guest may take; default 300 s. */
  readonly withinSeconds?: number;
}

/** A socket of the machine. */
interface UsbSocket {
  readonly bus: UsbBus;
  readonly port: string;
}

/** The guests of the lab, and the CPU that each needs. */
export const GUESTS = { pv1: 'pv', pv2: 'pv', pvh1: 'hvm', hvm1: 'hvm' } as const;

/** The name of a guest of the lab. */
export type GuestName = keyof typeof GUESTS;

/** From `guest-exec` in dom0: the guest did not answer. */
const NO_ANSWER = 125;

const SYSFS = '/sys/bus/usb/devices';

/**
 * A lab that was started earlier, maybe by another process.
 *
 * @throws {LabError} when none with this name is running
 */
export async function openLab(name = 'default'): Promise<Lab> {
  return new Lab(await readRecord(name));
}

/** A running lab. Disposing of it stops it; nothing that happened in it is kept. */
export class Lab implements AsyncDisposable {
  readonly name: string;
  /** What it was started with. */
  readonly options: MachineOptions;
  readonly #ssh: Ssh;
  readonly #files: MachineFiles;

  /** Use {@link openLab}, or `startLab` of `start.ts`. */
  constructor({ name, options, sshPort }: LabRecord) {
    this.name = name;
    this.options = options;
    this.#files = filesOf(name);
    this.#ssh = new Ssh(sshPort, join(socketFolder(name), 'ssh'));
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

  /** Runs a command in dom0 on this process's terminal, and returns its exit status. */
  async dom0InForeground(command: string): Promise<number> {
    return this.#ssh.runInForeground(command);
  }

  /**
   * Runs a shell command in a guest, on its console; its stderr is in `stdout`, too.
   *
   * @throws {LabError} when there is no such guest or it does not answer; otherwise as {@link dom0}
   */
  async guest(name: string, command: string, options: CommandOptions = {}): Promise<Outcome> {
    const { mayFail = false, withinSeconds = 300 } = options;
    const outcome = await this.#ssh.run(`guest-exec ${quote(name)} ${quote(command)} ${withinSeconds}`);
    if (outcome.status === NO_ANSWER && outcome.stderr !== '') throw new LabError(outcome.stderr.trim());
    if (outcome.status !== 0 && !mayFail) throw failed(name, command, outcome);
    return outcome;
  }

  /**
   * Starts a guest of `lab/guest` and waits until it answers. `settings` are xl's:
   * `on_reboot="destroy"`.
   */
  async startGuest(name: GuestName, ...settings: readonly string[]): Promise<void> {
    if (GUESTS[name] === 'hvm' && this.options.cpu !== 'hvm' && !this.options.kvm) {
      throw new LabError(`${name} needs a CPU with hardware virtualization: start the lab with --cpu hvm`);
    }
    progress(`starting ${name}`);
    await this.dom0(['guest-start', name, ...settings.map(quote)].join(' '));
  }

  /** Has xl reboot a guest, and waits until it answers again. */
  async rebootGuest(name: GuestName): Promise<void> {
    progress(`rebooting ${name}`);
    await this.dom0(`guest-reboot ${name}`);
  }

  /**
   * Plugs a device in, into its own socket or another one, and waits until dom0 has it.
   *
   * @returns its bus id: `4-1`
   */
  async plug(name: UsbName, socket?: UsbSocket): Promise<string> {
    return this.plugDevice(name, { ...usbDevice(name), ...socket });
  }

  /** Plugs in any device that QEMU has, like {@link plug}. */
  async plugDevice(id: string, device: UsbDevice): Promise<string> {
    await plugIn(this.#files.qmpSocket, id, device);
    const busid = busidOf(device);
    await this.waitForDevices([busid]);
    return busid;
  }

  /** Pulls a device out, and waits until dom0 has noticed. `busid` is where it is, if not in its own socket. */
  async unplug(id: string, busid?: string): Promise<void> {
    await pullOut(this.#files.qmpSocket, id);
    const known = Object.entries<UsbDevice>(USB_DEVICES).find(([name]) => name === id)?.[1];
    const place = busid ?? (known && busidOf(known));
    if (place !== undefined) await this.dom0(`udevadm wait -t 300 --removed ${SYSFS}/${place}`);
  }

  /** Waits until dom0 has devices with these bus ids, and has given them to their drivers. */
  async waitForDevices(busids: readonly string[]): Promise<void> {
    const paths = busids.map((busid) => `${SYSFS}/${busid}`);
    await this.dom0(`udevadm wait -t 300 --settle ${paths.join(' ')}`);
  }

  /** What the device `audio` plays, in a file of this machine. */
  get soundFile(): string {
    return this.#files.sound;
  }

  /** The other end of the device `serial`, a socket of this machine. */
  get serialSocket(): string {
    return this.#files.serialSocket;
  }

  /** What dom0 looks like now, for `differences` of `state.ts`. */
  async state(): Promise<Dom0State> {
    return readState(this.#ssh);
  }

  /** Which driver has each USB interface: `3-6:1.0` to `snd-usb-audio`, or `-` for none. */
  async drivers(): Promise<Dom0State['drivers']> {
    return readPart(this.#ssh, 'drivers');
  }

  /** Copies files and folders into a folder of dom0. */
  async push(sources: readonly string[], folder: string): Promise<void> {
    await this.#ssh.push(sources, folder);
  }

  /** Copies a file or folder from dom0 into a folder here. */
  async pull(source: string, folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    await this.#ssh.pull(source, folder);
  }

  /** Keeps everything that shows what happened, and returns the folder's name. */
  async keepLogs(folder = logFolder(this.name)): Promise<string> {
    await keepLogs(folder, this.#files, this.#ssh);
    return folder;
  }

  /** Ends the connection to dom0; the next command makes a new one. */
  async disconnect(): Promise<void> {
    await this.#ssh.close();
  }

  /** Ends the lab. Its console output is kept until the next start. */
  async stop(): Promise<void> {
    await this.disconnect();
    await powerOff(this.#files);
    await rm(socketFolder(this.name), { recursive: true, force: true });
    for (const file of [this.#files.disk, this.#files.stick('stick'), this.#files.stick('stick2')]) {
      await rm(file, { force: true });
    }
  }

  /** As {@link stop}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function failed(where: string, command: string, { status, stdout, stderr }: Outcome): LabError {
  return new LabError(`in ${where}: ${command}\nexit status ${status}\n${stdout}${stderr}`.trimEnd());
}

function logFolder(name: string): string {
  return join(cacheFolder(), 'logs', `${new Date().toISOString().replaceAll(':', '')}-${name}`);
}
