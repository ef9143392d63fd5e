/** Which driver has which interface, and how drivers are asked (`drivers/base/dd.c`, the probes of USB drivers). */
import { isHub, siblingsClaimed, takes, USBBACK } from './drivers.js';
import type { KernelErrno } from './errno.js';
import { Faults } from './faults.js';
import type { DriverSpec, KernelChange, PluggedDevice } from './spec.js';

/** An interface with a driver that changes. */
export interface Interface {
  readonly id: string;
  readonly busid: string;
  readonly number: number;
  readonly classes: string;
  readonly authorized: boolean;
  driver: string | undefined;
}

/** A plugged device with such interfaces. */
export interface Device extends PluggedDevice {
  readonly interfaces: readonly Interface[];
}

/** The devices and drivers of a kernel. Its methods are for {@link SimUsb}, which calls them one at a time. */
export class Bindings {
  readonly devices = new Map<string, Device>();
  /** In the order they registered. */
  readonly drivers = new Map<string, DriverSpec>();
  readonly listeners = new Set<(change: KernelChange) => void>();
  readonly bindFaults = new Faults();
  /** usbback's question in its probe. */
  wanted: (busid: string) => Promise<boolean> = async () => false;

  /** Offers an interface to the drivers in the order they registered (`dd.c: __device_attach`). */
  async attach(device: Device, intf: Interface): Promise<void> {
    for (const driver of this.drivers.values()) {
      if (intf.driver !== undefined) return;
      // A failing probe is not the end: the next driver may try (dd.c: __device_attach_driver).
      if (takes(driver.match, device.spec, intf)) await this.probe(driver, device, intf);
    }
  }

  /** Asks a matching driver to take an interface; its errno when it refuses. */
  async probe(driver: DriverSpec, device: Device, intf: Interface): Promise<KernelErrno | undefined> {
    // `driver.c: usb_probe_interface`
    if (!intf.authorized) return 'ENODEV';
    if (driver.name === USBBACK && !(await this.#usbbackAccepts(device))) return 'ENODEV';
    const errno = this.bindFaults.take(intf.id, driver.name);
    if (errno) return errno;
    const siblings = siblingsClaimed(driver, device, intf);
    if (siblings === undefined) return 'ENODEV';
    const free = siblings.filter(({ driver: bound }) => bound === undefined);
    // usbnet gives up if it cannot have both halves (cdc_ether.c: usbnet_generic_cdc_bind); audio and video do without.
    if (driver.claim === 'siblings-both' && free.length < siblings.length) return 'EBUSY';
    for (const taken of [...free, intf]) this.set(taken, driver.name);
    return undefined;
  }

  /** usbback takes what the toolstack put into a port, but never a hub. */
  async #usbbackAccepts(device: Device): Promise<boolean> {
    if (isHub(device.spec)) return false;
    try {
      return await this.wanted(device.busid);
    } catch {
      return false;
    }
  }

  /** Takes an interface from its driver, and those that the driver gives up with it. */
  release(intf: Interface): void {
    const driver = intf.driver!;
    const both = this.drivers.get(driver)?.claim === 'siblings-both';
    this.set(intf, undefined);
    if (!both) return;
    for (const other of this.devices.get(intf.busid)!.interfaces) {
      if (other.driver === driver) this.set(other, undefined);
    }
  }

  /** Changes an interface's driver and reports it. */
  set(intf: Interface, driver: string | undefined): void {
    const before = intf.driver;
    intf.driver = driver;
    if (before !== undefined) this.tell({ kind: 'unbind', interface: intf.id, driver: before });
    if (driver !== undefined) this.tell({ kind: 'bind', interface: intf.id, driver });
  }

  /** A plugged device's interface by name. */
  interface(id: string): Interface | undefined {
    const colon = id.indexOf(':');
    if (colon < 0) return undefined;
    const name = id.slice(0, colon);
    const device = this.devices.get(name.endsWith('-0') ? `usb${name.slice(0, -2)}` : name);
    return device?.interfaces.find((intf) => intf.id === id);
  }

  /** Calls the listeners. */
  tell(change: KernelChange): void {
    for (const listener of this.listeners) listener(change);
  }
}
