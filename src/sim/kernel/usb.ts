/** The USB core of a Linux kernel, in memory: devices come and go, drivers bind to interfaces. */
import type { SysfsFiles } from '../../sysfs/files.js';
import { Addresses } from './addresses.js';
import { Bindings, type Device, type Interface } from './bindings.js';
import { STANDARD_DRIVERS, takes, USBFS, USBFS_DRIVER } from './drivers.js';
import { type KernelErrno, kernelError } from './errno.js';
import { Faults, type FaultTarget } from './faults.js';
import { sysfsFiles, type UsbCore } from './files.js';
import { busOf, interfaceName, isBehind, parentOf } from './names.js';
import type { DeviceSpec, DriverSpec, KernelChange, PluggedDevice } from './spec.js';

/** What a {@link SimUsb} starts with. */
export interface SimUsbOptions {
  /** In the order they register; the recorded host's when absent. */
  readonly drivers?: readonly DriverSpec[];
  /** usbback's question in its probe: does some port node name this device? No, when absent. */
  readonly wanted?: (busid: string) => Promise<boolean>;
}

/**
 * A simulated USB core. All changes run one at a time, as under the kernel's device locks; reads see the state between
 * two of them. Rules: `drivers/base/{bus,dd}.c`, `drivers/usb/core/{driver,hub}.c` of Linux 6.1.
 */
export class SimUsb implements UsbCore {
  /** The same state in sysfs's form, with the kernel's errnos. */
  readonly files: SysfsFiles = sysfsFiles(this);

  readonly #core = new Bindings();
  readonly #addresses = new Map<number, Addresses>();
  readonly #unbindFaults = new Faults();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: SimUsbOptions = {}) {
    for (const driver of [USBFS_DRIVER, ...(options.drivers ?? STANDARD_DRIVERS)])
      this.#core.drivers.set(driver.name, driver);
    if (options.wanted) this.#core.wanted = options.wanted;
  }

  /** Plugged devices in the order they were found, root hubs included. */
  get devices(): readonly PluggedDevice[] {
    return [...this.#core.devices.values()];
  }

  /** Registered drivers in order. */
  get drivers(): readonly DriverSpec[] {
    return [...this.#core.drivers.values()];
  }

  /** A plugged device by name. */
  device(busid: string): PluggedDevice | undefined {
    return this.#core.devices.get(busid);
  }

  /** The driver an interface is bound to; undefined also when there is no such interface. */
  driverOf(intf: string): string | undefined {
    return this.#core.interface(intf)?.driver;
  }

  /** Sets how usbback's probe learns whether a device is wanted. */
  answerWanted(wanted: (busid: string) => Promise<boolean>): void {
    this.#core.wanted = wanted;
  }

  /** Calls `listener` after each change, at once; returns a function that ends it. */
  onChange(listener: (change: KernelChange) => void): () => void {
    this.#core.listeners.add(listener);
    return () => this.#core.listeners.delete(listener);
  }

  /** Resolves when every change asked for so far is done. */
  async idle(): Promise<void> {
    await this.#turn;
  }

  /**
   * Plugs a device in: it gets an address, then each interface gets its driver. Rejects when the socket is taken or
   * does not exist.
   */
  plug(spec: DeviceSpec): Promise<void> {
    return this.#serially(async () => {
      if (this.#core.devices.has(spec.busid)) throw new Error(`${spec.busid} is already plugged in`);
      const parent = parentOf(spec.busid);
      if (parent !== undefined && !this.#core.devices.has(parent))
        throw new Error(`there is no hub ${parent}`);
      const bus = busOf(spec.busid);
      const addresses = this.#addresses.get(bus) ?? new Addresses();
      this.#addresses.set(bus, addresses);
      const interfaces = spec.interfaces.map(({ number, classes, driver, authorized = true }) => ({
        id: interfaceName(spec.busid, spec.configuration ?? 1, number),
        busid: spec.busid,
        number,
        classes,
        authorized,
        driver: driver ?? undefined,
      }));
      const device: Device = { busid: spec.busid, spec, address: addresses.take(spec.address), interfaces };
      this.#core.devices.set(spec.busid, device);
      this.#core.tell({ kind: 'plug', busid: spec.busid });
      for (const [index, intf] of device.interfaces.entries()) {
        if (spec.interfaces[index]!.driver === undefined) await this.#core.attach(device, intf);
      }
    });
  }

  /** Pulls a device out, with everything behind it if it is a hub. Resolves to false when it is not plugged in. */
  unplug(busid: string): Promise<boolean> {
    return this.#serially(async () => {
      if (!this.#core.devices.has(busid)) return false;
      const gone = [...this.#core.devices.keys()].filter((name) => name === busid || isBehind(name, busid));
      gone.sort((a, b) => Number(isBehind(b, a)) - Number(isBehind(a, b)));
      for (const name of gone) {
        this.#addresses.get(busOf(name))!.release(this.#core.devices.get(name)!.address);
        this.#core.devices.delete(name);
        this.#core.tell({ kind: 'unplug', busid: name });
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
      const driver = this.#core.drivers.get(driverName);
      if (!driver) throw kernelError('ENOENT', 'open', path);
      const found = this.#core.interface(intf);
      const device = found && this.#core.devices.get(found.busid)!;
      if (!found || !device || !takes(driver.match, device.spec, found))
        throw kernelError('ENODEV', 'write', path);
      if (found.driver !== undefined) throw kernelError('EBUSY', 'write', path);
      const errno = await this.#core.probe(driver, device, found);
      if (errno) throw kernelError(errno, 'write', path);
    });
  }

  /** What a write to `drivers/<driver>/unbind` does (`bus.c: unbind_store`). Rejects with ENODEV when it is not bound there. */
  unbind(driverName: string, intf: string): Promise<void> {
    return this.#serially(async () => {
      const path = `/sys/bus/usb/drivers/${driverName}/unbind`;
      if (!this.#core.drivers.has(driverName)) throw kernelError('ENOENT', 'open', path);
      const found = this.#core.interface(intf);
      if (found?.driver !== driverName) throw kernelError('ENODEV', 'write', path);
      const errno = this.#unbindFaults.take(intf, driverName);
      if (errno) throw kernelError(errno, 'write', path);
      this.#core.release(found);
    });
  }

  /**
   * What a write to `drivers_probe` does (`bus.c: drivers_probe_store`): offers the interface to all drivers. Succeeds
   * even when none takes it. Rejects with ENODEV when there is no such interface.
   */
  probe(intf: string): Promise<void> {
    return this.#serially(async () => {
      const found = this.#core.interface(intf);
      if (!found && !this.#core.devices.has(intf))
        throw kernelError('ENODEV', 'write', '/sys/bus/usb/drivers_probe');
      if (found) await this.#core.attach(this.#core.devices.get(found.busid)!, found);
    });
  }

  /**
   * `USBDEVFS_DISCONNECT`: takes an interface from the kernel's driver (`devio.c`). Resolves to false when it had none;
   * what a program holds through usbfs is not taken. Rejects with ENODEV when there is no such interface.
   */
  disconnect(intf: string): Promise<boolean> {
    return this.#serially(async () => {
      const found = this.#usbfsInterface(intf);
      if (found.driver === undefined || found.driver === USBFS) return false;
      this.#core.release(found);
      return true;
    });
  }

  /** `USBDEVFS_CLAIMINTERFACE`: its driver is now `usbfs`. Rejects with EBUSY when it has one, with ENODEV when it is gone. */
  claim(intf: string): Promise<void> {
    return this.#serially(async () => {
      const found = this.#usbfsInterface(intf);
      if (found.driver !== undefined) throw kernelError('EBUSY', 'ioctl', '/dev/bus/usb');
      this.#core.set(found, USBFS);
    });
  }

  /** `USBDEVFS_RELEASEINTERFACE`, or the end of the program that claimed it: no driver is asked to take it. */
  release(intf: string): Promise<void> {
    return this.#serially(async () => {
      const found = this.#core.interface(intf);
      if (found?.driver === USBFS) this.#core.set(found, undefined);
    });
  }

  /** Loads a driver: it takes every interface that matches and has none. */
  addDriver(driver: DriverSpec): Promise<void> {
    return this.#serially(async () => {
      this.#core.drivers.set(driver.name, driver);
      this.#core.tell({ kind: 'driver-added', driver: driver.name });
      for (const device of this.#core.devices.values()) {
        for (const intf of device.interfaces) {
          if (intf.driver === undefined && takes(driver.match, device.spec, intf)) {
            await this.#core.probe(driver, device, intf);
          }
        }
      }
    });
  }

  /** Unloads a driver: its interfaces have none, its folder is gone. */
  removeDriver(name: string): Promise<void> {
    return this.#serially(async () => {
      if (!this.#core.drivers.has(name)) return;
      for (const { interfaces } of this.#core.devices.values()) {
        for (const intf of interfaces) if (intf.driver === name) this.#core.set(intf, undefined);
      }
      this.#core.drivers.delete(name);
      this.#core.tell({ kind: 'driver-removed', driver: name });
    });
  }

  /** Makes probes fail with `errno`, `times` times (always, when absent), including those of a plug or of `drivers_probe`. */
  failBind(target: FaultTarget, errno: KernelErrno, times?: number): void {
    this.#core.bindFaults.add(target, errno, times);
  }

  /** Makes unbinds fail with `errno`, `times` times (always, when absent). */
  failUnbind(target: FaultTarget, errno: KernelErrno, times?: number): void {
    this.#unbindFaults.add(target, errno, times);
  }

  /** Forgets the faults asked for. */
  clearFaults(): void {
    this.#core.bindFaults.clear();
    this.#unbindFaults.clear();
  }

  #usbfsInterface(intf: string): Interface {
    const found = this.#core.interface(intf);
    if (!found) throw kernelError('ENODEV', 'ioctl', '/dev/bus/usb');
    return found;
  }

  #serially<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(change);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}
