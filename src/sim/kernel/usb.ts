/** The USB core of a Linux kernel, in memory: devices come and go, drivers bind to interfaces. */
import type { SysfsFiles } from '../../sysfs/files.js';
import { Addresses } from './addresses.js';
import { STANDARD_DRIVERS, takes, USBBACK } from './drivers.js';
import { type KernelErrno, kernelError } from './errno.js';
import { Faults, type FaultTarget } from './faults.js';
import { sysfsFiles } from './files.js';
import { busOf, interfaceName, isBehind, parentOf } from './names.js';
import type { DeviceSpec, DriverSpec, KernelChange, PluggedDevice } from './spec.js';

interface Interface {
  readonly id: string;
  readonly busid: string;
  readonly number: number;
  readonly classes: string;
  driver: string | undefined;
}

interface Device extends PluggedDevice {
  readonly interfaces: readonly Interface[];
}

/** What a {@link SimUsb} starts with. */
export interface SimUsbOptions {
  /** In the order they register; the recorded host's when absent. */
  readonly drivers?: readonly DriverSpec[];
  /** usbback's question in its probe: does some port node name this device? No, when absent. */
  readonly wanted?: (busid: string) => Promise<boolean>;
}

/**
 * A simulated USB core. All changes run one after another, as under the kernel's device locks; reads see the state between two
 * of them. Rules: `drivers/base/{bus,dd}.c`, `drivers/usb/core/{driver,hub}.c` of Linux 6.1.
 */
export class SimUsb {
  /** The same state as sysfs shows it, with the kernel's errnos. */
  readonly files: SysfsFiles = sysfsFiles(this);

  readonly #devices = new Map<string, Device>();
  readonly #drivers = new Map<string, DriverSpec>();
  readonly #addresses = new Map<number, Addresses>();
  readonly #listeners = new Set<(change: KernelChange) => void>();
  readonly #bindFaults = new Faults();
  readonly #unbindFaults = new Faults();
  #wanted: (busid: string) => Promise<boolean>;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: SimUsbOptions = {}) {
    for (const driver of options.drivers ?? STANDARD_DRIVERS) this.#drivers.set(driver.name, driver);
    this.#wanted = options.wanted ?? (async () => false);
  }

  /** Plugged devices in the order they were found, root hubs included. */
  get devices(): readonly PluggedDevice[] {
    return [...this.#devices.values()];
  }

  /** Registered drivers in order. */
  get drivers(): readonly DriverSpec[] {
    return [...this.#drivers.values()];
  }

  /** A plugged device by name. */
  device(busid: string): PluggedDevice | undefined {
    return this.#devices.get(busid);
  }

  /** The driver an interface is bound to; undefined also when there is no such interface. */
  driverOf(intf: string): string | undefined {
    return this.#interface(intf)?.driver;
  }

  /** Says how usbback's probe learns whether a device is wanted. */
  answerWanted(wanted: (busid: string) => Promise<boolean>): void {
    this.#wanted = wanted;
  }

  /** Calls `listener` after each change, at once; returns a function that ends it. */
  onChange(listener: (change: KernelChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when every change asked for so far is done. */
  async idle(): Promise<void> {
    await this.#turn;
  }

  /** Plugs a device in: it gets an address, then each interface its driver. Rejects when the socket is taken or not there. */
  plug(spec: DeviceSpec): Promise<void> {
    return this.#serially(async () => {
      if (this.#devices.has(spec.busid)) throw new Error(`${spec.busid} is already plugged in`);
      const parent = parentOf(spec.busid);
      if (parent !== undefined && !this.#devices.has(parent)) throw new Error(`there is no hub ${parent}`);
      const bus = busOf(spec.busid);
      const addresses = this.#addresses.get(bus) ?? new Addresses();
      this.#addresses.set(bus, addresses);
      const interfaces = spec.interfaces.map(({ number, classes, driver }) => ({
        id: interfaceName(spec.busid, spec.configuration ?? 1, number),
        busid: spec.busid,
        number,
        classes,
        driver: driver ?? undefined,
      }));
      const device: Device = { busid: spec.busid, spec, address: addresses.take(spec.address), interfaces };
      this.#devices.set(spec.busid, device);
      this.#tell({ kind: 'plug', busid: spec.busid });
      for (const [index, intf] of device.interfaces.entries()) {
        if (spec.interfaces[index]!.driver === undefined) await this.#attach(device, intf);
      }
    });
  }

  /** Pulls a device out, with all that is behind it when it is a hub. Resolves to false when it is not there. */
  unplug(busid: string): Promise<boolean> {
    return this.#serially(async () => {
      if (!this.#devices.has(busid)) return false;
      const gone = [...this.#devices.keys()].filter((name) => name === busid || isBehind(name, busid));
      gone.sort((a, b) => Number(isBehind(b, a)) - Number(isBehind(a, b)));
      for (const name of gone) {
        this.#addresses.get(busOf(name))!.release(this.#devices.get(name)!.address);
        this.#devices.delete(name);
        this.#tell({ kind: 'unplug', busid: name });
      }
      return true;
    });
  }

  /**
   * What a write of an interface's name to `drivers/<driver>/bind` does (`bus.c: bind_store`).
   *
   * Rejects with ENODEV (no such interface, the driver does not take it, its probe refused), EBUSY (it has a driver) or a
   * fault's errno.
   */
  bind(driverName: string, intf: string): Promise<void> {
    return this.#serially(async () => {
      const path = `/sys/bus/usb/drivers/${driverName}/bind`;
      const driver = this.#drivers.get(driverName);
      if (!driver) throw kernelError('ENOENT', 'open', path);
      const found = this.#interface(intf);
      const device = found && this.#devices.get(found.busid)!;
      if (!found || !device || !takes(driver.match, device.spec, found))
        throw kernelError('ENODEV', 'write', path);
      if (found.driver !== undefined) throw kernelError('EBUSY', 'write', path);
      const errno = await this.#probe(driver, device, found);
      if (errno) throw kernelError(errno, 'write', path);
    });
  }

  /** What a write to `drivers/<driver>/unbind` does (`bus.c: unbind_store`). Rejects with ENODEV when it is not bound there. */
  unbind(driverName: string, intf: string): Promise<void> {
    return this.#serially(async () => {
      const path = `/sys/bus/usb/drivers/${driverName}/unbind`;
      if (!this.#drivers.has(driverName)) throw kernelError('ENOENT', 'open', path);
      const found = this.#interface(intf);
      if (found?.driver !== driverName) throw kernelError('ENODEV', 'write', path);
      const errno = this.#unbindFaults.take(intf, driverName);
      if (errno) throw kernelError(errno, 'write', path);
      this.#release(found);
    });
  }

  /**
   * What a write to `drivers_probe` does (`bus.c: drivers_probe_store`): offers the interface to all drivers. Succeeds also
   * when none takes it. Rejects with ENODEV when there is no such interface.
   */
  probe(intf: string): Promise<void> {
    return this.#serially(async () => {
      const found = this.#interface(intf);
      if (!found && !this.#devices.has(intf))
        throw kernelError('ENODEV', 'write', '/sys/bus/usb/drivers_probe');
      if (found) await this.#attach(this.#devices.get(found.busid)!, found);
    });
  }

  /** Loads a driver: it takes every interface that matches and has none. */
  addDriver(driver: DriverSpec): Promise<void> {
    return this.#serially(async () => {
      this.#drivers.set(driver.name, driver);
      this.#tell({ kind: 'driver-added', driver: driver.name });
      for (const device of this.#devices.values()) {
        for (const intf of device.interfaces) {
          if (intf.driver === undefined && takes(driver.match, device.spec, intf)) {
            await this.#probe(driver, device, intf);
          }
        }
      }
    });
  }

  /** Unloads a driver: its interfaces are without one, its folder is gone. */
  removeDriver(name: string): Promise<void> {
    return this.#serially(async () => {
      if (!this.#drivers.has(name)) return;
      for (const { interfaces } of this.#devices.values()) {
        for (const intf of interfaces) if (intf.driver === name) this.#set(intf, undefined);
      }
      this.#drivers.delete(name);
      this.#tell({ kind: 'driver-removed', driver: name });
    });
  }

  /** Makes probes fail with `errno`, `times` times (always, when absent), also those of a plug or of `drivers_probe`. */
  failBind(target: FaultTarget, errno: KernelErrno, times?: number): void {
    this.#bindFaults.add(target, errno, times);
  }

  /** Makes unbinds fail with `errno`, `times` times (always, when absent). */
  failUnbind(target: FaultTarget, errno: KernelErrno, times?: number): void {
    this.#unbindFaults.add(target, errno, times);
  }

  /** Forgets the faults asked for. */
  clearFaults(): void {
    this.#bindFaults.clear();
    this.#unbindFaults.clear();
  }

  /** Offers an interface to the drivers in the order they registered (`dd.c: __device_attach`). */
  async #attach(device: Device, intf: Interface): Promise<void> {
    for (const driver of this.#drivers.values()) {
      if (intf.driver !== undefined) return;
      // A probe that fails is not the end: the next driver may try its luck (dd.c: __device_attach_driver).
      if (takes(driver.match, device.spec, intf)) await this.#probe(driver, device, intf);
    }
  }

  /** Asks a matching driver to take an interface; its errno when it refuses. */
  async #probe(driver: DriverSpec, device: Device, intf: Interface): Promise<KernelErrno | undefined> {
    if (driver.name === USBBACK && !(await this.#usbbackAccepts(device))) return 'ENODEV';
    const errno = this.#bindFaults.take(intf.id, driver.name);
    if (errno) return errno;
    const siblings = siblingsClaimed(driver, device, intf);
    if (siblings === undefined) return 'ENODEV';
    const free = siblings.filter(({ driver: bound }) => bound === undefined);
    // usbnet gives up when it cannot have both halves (cdc_ether.c: usbnet_generic_cdc_bind); audio and video do without.
    if (driver.claim === 'siblings-both' && free.length < siblings.length) return 'EBUSY';
    for (const taken of [...free, intf]) this.#set(taken, driver.name);
    return undefined;
  }

  /** usbback takes what the toolstack put into a port, and never a hub. */
  async #usbbackAccepts(device: Device): Promise<boolean> {
    if (device.spec.deviceClass === '09') return false;
    try {
      return await this.#wanted(device.busid);
    } catch {
      return false;
    }
  }

  #release(intf: Interface): void {
    const driver = intf.driver!;
    const both = this.#drivers.get(driver)?.claim === 'siblings-both';
    this.#set(intf, undefined);
    if (!both) return;
    for (const other of this.#devices.get(intf.busid)!.interfaces) {
      if (other.driver === driver) this.#set(other, undefined);
    }
  }

  #set(intf: Interface, driver: string | undefined): void {
    const before = intf.driver;
    intf.driver = driver;
    if (before !== undefined) this.#tell({ kind: 'unbind', interface: intf.id, driver: before });
    if (driver !== undefined) this.#tell({ kind: 'bind', interface: intf.id, driver });
  }

  #interface(id: string): Interface | undefined {
    const colon = id.indexOf(':');
    if (colon < 0) return undefined;
    const name = id.slice(0, colon);
    const device = this.#devices.get(name.endsWith('-0') ? `usb${name.slice(0, -2)}` : name);
    return device?.interfaces.find((intf) => intf.id === id);
  }

  #tell(change: KernelChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  #serially<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(change);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

/** The other interfaces a driver takes along; undefined when it refuses, since `intf` is not the one it starts from. */
function siblingsClaimed(driver: DriverSpec, device: Device, intf: Interface): Interface[] | undefined {
  if (driver.claim === undefined || driver.claim === 'single') return [];
  const first = device.interfaces.find((other) => takes(driver.match, device.spec, other));
  if (first !== intf) return undefined;
  const patterns = driver.siblings ?? ['*'];
  return device.interfaces.filter((other) => other !== intf && takes(patterns, device.spec, other));
}
