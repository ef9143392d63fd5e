/**
 * Lent devices whose drivers may change without an event: the kernel sends no event when a program, such as QEMU, claims an
 * interface through usbfs (seen on Linux 6.1; when it lets go, there is one). No IO.
 */
import type { Busid } from '../../sysfs/busid.js';
import type { UsbDevice } from '../../sysfs/device.js';
import { allPorts } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';

/** The pauses between two looks at a device that its guest has not taken yet: they double, up to the longest. */
const PAUSE_MS = 500;
const PAUSE_MAX_MS = 60_000;

/** The devices that ports name and that have an interface without a driver. */
export function silentDevices({ controllers, devices }: Inventory): Busid[] {
  const named = new Set(controllers.flatMap((one) => allPorts(one).flatMap(({ busid }) => busid ?? [])));
  return devices
    .filter(
      ({ busid, interfaces }) => named.has(busid) && interfaces.some(({ driver }) => driver === undefined),
    )
    .map(({ busid }) => busid);
}

/** Devices, some of which were read again. */
export function readAgain(devices: readonly UsbDevice[], read: readonly UsbDevice[]): UsbDevice[] {
  return devices.map((device) => read.find(({ busid }) => busid === device.busid) ?? device);
}

interface Due {
  readonly atMs: number;
  readonly pauseMs: number;
}

/** When to read silent devices again. */
export class Silent {
  #next: ReadonlyMap<Busid, Due> = new Map();

  /** When the first is due; undefined if there is none. */
  get dueMs(): number | undefined {
    const due = [...this.#next.values()].map(({ atMs }) => atMs);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  /** The devices that are due. */
  due(nowMs: number): Busid[] {
    return [...this.#next].flatMap(([busid, { atMs }]) => (atMs <= nowMs ? busid : []));
  }

  /** Notes what a look has found. */
  seen(inventory: Inventory, nowMs: number): void {
    const next = new Map<Busid, Due>();
    for (const busid of silentDevices(inventory)) {
      const known = this.#next.get(busid);
      if (known && known.atMs > nowMs) next.set(busid, known);
      else {
        const pauseMs = known ? Math.min(2 * known.pauseMs, PAUSE_MAX_MS) : PAUSE_MS;
        next.set(busid, { atMs: nowMs + pauseMs, pauseMs });
      }
    }
    this.#next = next;
  }
}
