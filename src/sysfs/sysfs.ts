/** The host's USB devices and their drivers. */
import { type Clock, systemClock } from '../async/index.js';
import type { DriverName, InterfaceId } from './busid.js';
import type { UsbDevice } from './device.js';
import { errnoOf, isGone, SysfsError, toSysfsError } from './errors.js';
import type { SysfsFiles } from './files.js';
import { nodeFiles } from './node-files.js';
import { readDriver, readPresence, type ScanOptions, scanDevices } from './scan.js';

/** Where the drivers are, relative to sysfs's root. */
const DRIVERS = 'bus/usb/drivers';

/** Asks the kernel to find a driver for an interface. */
const DRIVERS_PROBE = 'bus/usb/drivers_probe';

/** How long a `driver` link may lag behind the write that changes it. */
const SETTLE_MS = 2000;

/** How long to wait for the kernel's answer to a probe; on a real host it is there at once. */
const PROBE_MS = 200;

/** Options of every operation. */
export interface SysfsOptions {
  readonly signal?: AbortSignal | undefined;
}

/** An interface and a driver: what a bind and an unbind are about. */
export interface Binding {
  readonly interface: InterfaceId;
  readonly driver: DriverName;
}

/** What an interface is doing. */
export interface InterfaceState {
  readonly present: boolean;
  /** Undefined when it is bound to none. */
  readonly driver: DriverName | undefined;
}

/** sysfs's USB part. Reads devices, binds and unbinds their interfaces, and reads every change back. */
export class Sysfs {
  readonly #files: SysfsFiles;
  readonly #clock: Clock;

  /** @param files the file operations below sysfs's root; see {@link openSysfs} for the real ones */
  constructor(files: SysfsFiles, clock: Clock = systemClock) {
    this.#files = files;
    this.#clock = clock;
  }

  /**
   * All USB devices, root hubs included, by bus and address; or those of `wanted` that are plugged in. With `details`,
   * also what rules look at: the other half of a socket, descriptors, hash.
   *
   * @throws {SysfsError} `no-sysfs`, or an errno
   */
  async devices(options: SysfsOptions & ScanOptions = {}): Promise<UsbDevice[]> {
    options.signal?.throwIfAborted();
    return scanDevices(this.#files, options);
  }

  /** Whether a USB driver is loaded. */
  async hasDriver(driver: DriverName, options: SysfsOptions = {}): Promise<boolean> {
    options.signal?.throwIfAborted();
    try {
      await this.#files.list(`${DRIVERS}/${driver}`);
      return true;
    } catch (error) {
      if (isGone(error)) return false;
      throw toSysfsError(error, 'read', `${DRIVERS}/${driver}`);
    }
  }

  /** Whether an interface is there, and the driver it is bound to now. */
  async stateOf(intf: InterfaceId, options: SysfsOptions = {}): Promise<InterfaceState> {
    options.signal?.throwIfAborted();
    const driver = await readDriver(this.#files, intf);
    if (driver !== undefined) return { present: true, driver };
    return { present: await readPresence(this.#files, intf), driver };
  }

  /**
   * Binds an interface to a driver and reads the `driver` link back. If it is already bound to it, that is success.
   *
   * @throws {SysfsError} the kernel's errno (`ENODEV`: not there or refused by the driver, `EBUSY`: another
   *   driver has it), or `not-verified`
   */
  async bind(binding: Binding, options: SysfsOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const path = `${DRIVERS}/${binding.driver}/bind`;
    try {
      await this.#files.writeText(path, binding.interface);
    } catch (error) {
      if ((await readDriver(this.#files, binding.interface)) === binding.driver) return;
      throw toSysfsError(error, 'bind', path);
    }
    await this.#verify('bind', path, binding.interface, (driver) => driver === binding.driver, options);
  }

  /**
   * Unbinds an interface from a driver and reads the link back. If it is bound to no driver, or gone, that is success.
   * If it is bound to another driver it is left alone, and that is an error.
   *
   * @throws {SysfsError} the kernel's errno, `EBUSY` when another driver has it, or `not-verified`
   */
  async unbind(binding: Binding, options: SysfsOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const path = `${DRIVERS}/${binding.driver}/unbind`;
    try {
      await this.#files.writeText(path, binding.interface);
    } catch (error) {
      const driver = await readDriver(this.#files, binding.interface);
      if (driver === undefined) return;
      if (driver === binding.driver || errnoOf(error) === 'EACCES') throw toSysfsError(error, 'unbind', path);
      throw new SysfsError('EBUSY', 'unbind', path, `${binding.interface} is bound to ${driver}`, error);
    }
    await this.#verify('unbind', path, binding.interface, (driver) => driver !== binding.driver, options);
  }

  /**
   * Asks the kernel to find a driver for an interface that has none, and returns the one it found; undefined when none
   * wants it.
   *
   * @throws {SysfsError} the kernel's errno
   */
  async probe(intf: InterfaceId, options: SysfsOptions = {}): Promise<DriverName | undefined> {
    options.signal?.throwIfAborted();
    try {
      await this.#files.writeText(DRIVERS_PROBE, intf);
    } catch (error) {
      throw toSysfsError(error, 'probe', DRIVERS_PROBE);
    }
    return this.#readDriverUntil(intf, (driver) => driver !== undefined, PROBE_MS, options);
  }

  /**
   * Reads the link back until it shows what was asked for. The kernel has it before the write returns; a published
   * simulation a moment later.
   */
  async #verify(
    operation: string,
    path: string,
    intf: InterfaceId,
    isAsWanted: (driver: DriverName | undefined) => boolean,
    options: SysfsOptions,
  ): Promise<void> {
    const driver = await this.#readDriverUntil(intf, isAsWanted, SETTLE_MS, options);
    if (isAsWanted(driver)) return;
    const detail = `the kernel accepted it, but ${intf} is ${driver === undefined ? 'without a driver' : `on ${driver}`}`;
    throw new SysfsError('not-verified', operation, path, detail);
  }

  /** The driver as soon as it is the wanted one, otherwise whatever it is when time is up. */
  async #readDriverUntil(
    intf: InterfaceId,
    isAsWanted: (driver: DriverName | undefined) => boolean,
    withinMs: number,
    options: SysfsOptions,
  ): Promise<DriverName | undefined> {
    const endMs = this.#clock.nowMs() + withinMs;
    for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, 50)) {
      const driver = await readDriver(this.#files, intf);
      const leftMs = endMs - this.#clock.nowMs();
      if (isAsWanted(driver) || leftMs <= 0) return driver;
      await this.#clock.sleep(Math.min(pauseMs, leftMs), options.signal);
    }
  }
}

/**
 * The sysfs below `root` (`/sys` unless given). Nothing is read until asked for.
 *
 * @param elsewhere folders that a platform keeps elsewhere, by their names below the root
 */
export function openSysfs(root = '/sys', elsewhere?: Readonly<Record<string, string>>): Sysfs {
  return new Sysfs(nodeFiles(root, elsewhere));
}
