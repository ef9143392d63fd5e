/**
 * USB in a guest's QEMU: what PVUSB needs from it, for controllers of type `devicemodel`.
 *
 * What exists is decided by asking QEMU ({@link listPeripherals}), never by memory: libxl uses the same monitor, and
 * after a timeout QEMU may have acted. What is said about QEMU here was observed with QEMU 7.2.22 without Xen, except
 * what is marked as not tried.
 */

import { DEFAULT_WITHIN_MS, type ExpectedEvent, type QmpCallOptions, type QmpCommands } from './client.js';
import { isQmpError, QmpError } from './errors.js';
import { PERIPHERALS, propertyOf } from './qom.js';
import { isObject, type JsonValue, protocolError } from './wire.js';

/** How long QEMU may take to say what exists while something is removed, in milliseconds. */
const CHECK_WITHIN_MS = 2_000;

/** How long to wait for DEVICE_DELETED before QEMU is asked what exists, in milliseconds; it doubles. */
const FIRST_LOOK_MS = 100;
const LONGEST_LOOK_MS = 1_000;

/** libxl's choices (`libxl__device_usbctrl_add`), by USB version. Only an xHCI's ports can be chosen. */
const CONTROLLERS = new Map([
  [1, { driver: 'piix3-usb-uhci', minPorts: 2, maxPorts: 2, choosesPorts: false }],
  [2, { driver: 'usb-ehci', minPorts: 6, maxPorts: 6, choosesPorts: false }],
  // QEMU accepts any number and silently makes it 15.
  [3, { driver: 'nec-usb-xhci', minPorts: 1, maxPorts: 15, choosesPorts: true }],
]);

/** A QEMU device that has an id. */
export interface Peripheral {
  readonly id: string;
  /** QEMU's type: `usb-host`, `nec-usb-xhci`. */
  readonly type: string;
}

/** A host USB device in a guest's QEMU. */
export interface QemuHostDevice {
  readonly id: string;
  /** Id of the controller it is on; undefined when that has none. */
  readonly controller: string | undefined;
  /** Its port there: `2`, or `2.1` behind a hub of QEMU's. */
  readonly port: string;
  /** The bus and the address it was added with; undefined when it was added in another way. */
  readonly hostbus: number | undefined;
  readonly hostaddr: number | undefined;
  /** The host's socket it was added with (`1.2`), which libxl never gives. */
  readonly hostport: string | undefined;
  /**
   * Whether the guest sees it. False while QEMU is looking for the device (added by socket, nothing plugged in), and
   * when it has been pulled out: QEMU should keep the object and its port until it is removed (not tried).
   */
  readonly attached: boolean;
}

/**
 * The QEMU driver for a controller of USB version 1, 2 or 3.
 *
 * @throws {RangeError} for another version
 */
export function controllerDriver(version: number): string {
  return controllerKind(version).driver;
}

function controllerKind(version: number) {
  const kind = CONTROLLERS.get(version);
  if (!kind) throw new RangeError(`QEMU has no USB controller of version ${version}`);
  return kind;
}

/** The id of a controller, as libxl gives it: `xenusb-0`. Its bus is `xenusb-0.0`. */
export function controllerId(devid: number): string {
  return `xenusb-${devid}`;
}

/** The devid in a controller's id; undefined when the id does not have libxl's form. */
export function parseControllerId(untrustedId: string): number | undefined {
  const devid = /^xenusb-(0|[1-9]\d{0,8})$/.exec(untrustedId)?.[1];
  return devid === undefined ? undefined : Number(devid);
}

/** The id that libxl gives a host device: `xenusb-3-2` for bus 3, address 2 (as they were when attached). */
export function hostDeviceId(hostbus: number, hostaddr: number): string {
  return `xenusb-${hostbus}-${hostaddr}`;
}

/** Bus and address in a device's id; undefined when the id does not have libxl's form. */
export function parseHostDeviceId(
  untrustedId: string,
): { readonly hostbus: number; readonly hostaddr: number } | undefined {
  const [, hostbus, hostaddr] = /^xenusb-([1-9]\d{0,8})-([1-9]\d{0,8})$/.exec(untrustedId) ?? [];
  if (hostbus === undefined || hostaddr === undefined) return undefined;
  return { hostbus: Number(hostbus), hostaddr: Number(hostaddr) };
}

/**
 * The devices that have an id, also those that are not USB; in no order. A controller whose removal was requested stays
 * until the guest has let go of it.
 *
 * @throws {QmpError} as {@link QmpClient.execute}
 */
export async function listPeripherals(qmp: QmpCommands, options?: QmpCallOptions): Promise<Peripheral[]> {
  const untrusted = await qmp.execute('qom-list', { path: PERIPHERALS }, options);
  if (!Array.isArray(untrusted)) throw protocolError('qom-list did not return a list');
  return untrusted.flatMap((entry: JsonValue) => {
    if (!isObject(entry) || typeof entry.name !== 'string' || typeof entry.type !== 'string') {
      throw protocolError('qom-list returned something unreadable');
    }
    const type = /^child<(.+)>$/.exec(entry.type)?.[1];
    return type === undefined ? [] : [{ id: entry.name, type }];
  });
}

/**
 * What QEMU knows about a `usb-host` device.
 *
 * @throws {QmpError} `refused` with class `DeviceNotFound` when there is none with this id, `GenericError` when it is
 *   not a `usb-host`; otherwise as {@link QmpClient.execute}
 */
export async function describeHostDevice(
  qmp: QmpCommands,
  id: string,
  options?: QmpCallOptions,
): Promise<QemuHostDevice> {
  const get = (property: string): Promise<JsonValue> => propertyOf(qmp, id, property, options);
  // One after the other: when the first is refused, nothing is left on its way.
  const hostbus = await get('hostbus');
  const hostaddr = await get('hostaddr');
  const hostport = await get('hostport');
  const attached = await get('attached');
  const port = await get('port');
  const bus = await get('parent_bus');
  if (typeof port !== 'string' || typeof attached !== 'boolean') {
    throw protocolError('qom-get returned something unreadable');
  }
  const controller = typeof bus === 'string' ? /^\/machine\/peripheral\/([^/]+)\//.exec(bus)?.[1] : undefined;
  return {
    id,
    controller,
    port,
    hostbus: givenNumber(hostbus),
    hostaddr: givenNumber(hostaddr),
    hostport: typeof hostport === 'string' && hostport !== '' ? hostport : undefined,
    attached,
  };
}

/** QEMU's 0 means that nothing was given. */
function givenNumber(untrusted: JsonValue | undefined): number | undefined {
  return typeof untrusted === 'number' && untrusted > 0 ? untrusted : undefined;
}

/** QEMU 10.0 takes any text for an id, but cannot remove a device whose id has a slash (it cannot find it). */
function demandId(id: string): void {
  if (!/^[A-Za-z][\w.-]*$/.test(id)) throw new RangeError(`"${id}" is not an id for QEMU`);
}

/**
 * Adds a controller: version 1 with 2 ports, 2 with 6, or 3 with 1 to 15.
 *
 * @throws {RangeError} for another version or number of ports, or what is not an id, without asking QEMU
 * @throws {QmpError} `refused` when the id is taken ("Duplicate device ID") or the machine has no free slot; otherwise
 *   as {@link QmpClient.execute}
 */
export async function addController(
  qmp: QmpCommands,
  controller: { readonly id: string; readonly version: number; readonly ports: number },
  options?: QmpCallOptions,
): Promise<void> {
  const { id, version, ports } = controller;
  const { driver, minPorts, maxPorts, choosesPorts } = controllerKind(version);
  demandId(id);
  if (!Number.isInteger(ports) || ports < minPorts || ports > maxPorts) {
    throw new RangeError(
      `a controller of version ${version} has ${minPorts} to ${maxPorts} ports, not ${ports}`,
    );
  }
  await qmp.execute('device_add', { driver, id, ...(choosesPorts ? { p2: ports, p3: ports } : {}) }, options);
}

/**
 * Adds a host USB device. `bus` is a controller's id with `.0` (`xenusb-0.0`), `port` starts at `1`.
 *
 * QEMU opens the device at once: for a bus and address without a device it refuses ("failed to find host usb device
 * 1:9") and does not wait. Numbers are sent as numbers: QEMU 10.0 and 11.1 refuse strings, which 7.2 takes (libxl sends
 * strings in Xen 4.17, numbers in 4.20).
 *
 * @throws {RangeError} when the bus or the address is not a number from 1: QEMU takes 0 for "any", and would give
 *   the guest whatever it finds, now or later; for what is not an id
 * @throws {QmpError} `refused` when the id or the port is taken or unknown ("usb port 7 (bus xenusb-0.0) not found (in
 *   use?)", "Bus 'xenusb-8.0' not found"), the device does not exist or cannot be opened; otherwise as {@link
 *   QmpClient.execute}
 */
export async function addHostDevice(
  qmp: QmpCommands,
  device: {
    readonly id: string;
    readonly bus: string;
    readonly port: string;
    readonly hostbus: number;
    readonly hostaddr: number;
  },
  options?: QmpCallOptions,
): Promise<void> {
  const { id, bus, port, hostbus, hostaddr } = device;
  demandId(id);
  if (![hostbus, hostaddr].every((number) => Number.isInteger(number) && number >= 1)) {
    throw new RangeError(`${hostbus}:${hostaddr} names no single USB device`);
  }
  await qmp.execute('device_add', { driver: 'usb-host', id, bus, port, hostbus, hostaddr }, options);
}

/**
 * Removes a device and waits until it is gone: `removed`, or `absent` when there was none.
 *
 * A USB device is removed at once. A controller is removed when the guest lets go of it (QEMU asks through ACPI, as for
 * any PCI device): a guest that is paused, has not booted or has no driver for it never does, and the request stays
 * until it does, or is reset. Devices on a controller are removed with it. DEVICE_DELETED announces it, but for an xHCI
 * controller QEMU 7.2 never sends it: so QEMU is asked what exists between waits.
 *
 * @throws {QmpError} `timeout` when QEMU still has it, or does not say; otherwise as {@link QmpClient.execute}
 */
export async function removeDevice(
  qmp: QmpCommands,
  id: string,
  options: QmpCallOptions = {},
): Promise<'removed' | 'absent'> {
  const { signal, withinMs = DEFAULT_WITHIN_MS } = options;
  signal?.throwIfAborted();
  const checkMs = Math.min(CHECK_WITHIN_MS, withinMs);
  let lookMs = Math.min(FIRST_LOOK_MS, withinMs);
  const expectDeleted = (): ExpectedEvent =>
    qmp.expectEvent('DEVICE_DELETED', ({ device }) => device === id, { signal, withinMs: lookMs });
  let deleted = expectDeleted();
  try {
    const asked = await askToRemove(qmp, id, options);
    if (asked === 'absent') return 'absent';
    for (let leftMs = asked === 'late' ? 0 : withinMs; ; ) {
      if (await inTime(deleted.arrived)) return 'removed';
      // A busy QEMU may be silent for seconds, just while it removes something: that is no reason to give up early.
      const has = await exists(qmp, id, { signal, withinMs: checkMs });
      if (has === false) return 'removed';
      leftMs -= lookMs + (has ? 0 : checkMs);
      if (leftMs <= 0) {
        const still = 'it is still there: the guest has not released it';
        const detail = has ? still : 'QEMU does not say whether it is still there';
        throw new QmpError('timeout', `device_del ${id}`, detail);
      }
      lookMs = Math.min(2 * lookMs, LONGEST_LOOK_MS, leftMs);
      // What happens between the query and this is seen by the next query.
      deleted = expectDeleted();
    }
  } finally {
    deleted[Symbol.dispose]();
  }
}

async function askToRemove(
  qmp: QmpCommands,
  id: string,
  options: QmpCallOptions,
): Promise<'asked' | 'late' | 'absent'> {
  try {
    await qmp.execute('device_del', { id }, options);
    return 'asked';
  } catch (error) {
    if (isQmpError(error, 'timeout')) return 'late';
    if (!isQmpError(error, 'refused')) throw error;
    if (error.class === 'DeviceNotFound') return 'absent';
    // Requested before, by us or by libxl: a GenericError that only its text distinguishes from others.
    if (error.desc?.includes('already in the process of unplug')) return 'asked';
    throw error;
  }
}

/** False when it timed out. */
async function inTime(arrived: Promise<unknown>): Promise<boolean> {
  try {
    await arrived;
    return true;
  } catch (error) {
    if (isQmpError(error, 'timeout')) return false;
    throw error;
  }
}

/** Whether QEMU has a device with this id; undefined when it does not say. */
async function exists(qmp: QmpCommands, id: string, options: QmpCallOptions): Promise<boolean | undefined> {
  try {
    return (await listPeripherals(qmp, options)).some((peripheral) => peripheral.id === id);
  } catch (error) {
    if (!isQmpError(error, 'timeout')) throw error;
    return undefined;
  }
}
