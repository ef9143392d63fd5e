/** Asks the QEMU of a domain what it has. Its monitor is held only for a moment: libxl uses the same one. */
import {
  describeHostDevice,
  describeQusbDevice,
  isQmpError,
  listPeripherals,
  type Peripheral,
  parseControllerId,
  parseQusbPort,
  type QmpCallOptions,
  QmpError,
} from '../../qmp/index.js';
import { isDead, qmpCode } from '../model/failure.js';
import type { Inventory, QemuAnswer, QemuDevice } from '../model/inventory.js';
import { parseNumber } from '../model/layout.js';
import { isOfQemu } from '../types/types.js';
import type { Host, Qemu } from './host.js';

/** How long a QEMU may take to say what it has: as long as libxl gives it (`libxl_internal.h: LIBXL_QMP_CMD_TIMEOUT`). */
export const ASK_WITHIN_MS = 10_000;

/** A device in a QEMU, with what identifies it there. */
export interface FoundDevice extends QemuDevice {
  readonly id: string;
  /** For type devicemodel: the address it was added with. */
  readonly hostbus?: number | undefined;
  readonly hostaddr?: number | undefined;
}

/** What a QEMU has for PVUSB. */
export interface Belongings {
  readonly controllers: readonly number[];
  readonly devices: readonly FoundDevice[];
  /** Every id that is taken. */
  readonly ids: ReadonlySet<string>;
}

/** Opens the monitor of a domain's QEMU, runs `body` and closes it. Rejects as `QmpClient.open` and `body` do. */
export async function withQemu<T>(
  host: Host,
  domid: number,
  call: QmpCallOptions,
  body: (qemu: Qemu) => Promise<T>,
): Promise<T> {
  if (!host.qemu) throw new QmpError('unreachable', 'connect', 'no QEMU of this host can be asked');
  const qemu = await host.qemu(domid, call);
  try {
    return await body(qemu);
  } finally {
    qemu.close();
  }
}

/** What a domain's QEMU has, or that it cannot be asked, which is an answer too. Rejects only for an abort. */
export async function askQemu(host: Host, domid: number, call: QmpCallOptions): Promise<QemuAnswer> {
  const limited = { withinMs: ASK_WITHIN_MS, ...call };
  try {
    return await withQemu(host, domid, limited, async (qemu) => {
      const { controllers, devices } = await belongingsOf(qemu, limited);
      const shown = devices.map(({ type, devid, port, socket, open }) => ({
        type,
        devid,
        port,
        socket,
        open,
      }));
      const version = qemu.version && { major: qemu.version.major, minor: qemu.version.minor };
      return { domid, health: 'alive', ...(version ? { version } : {}), controllers, devices: shown };
    });
  } catch (error) {
    if (!isQmpError(error)) throw error;
    const why = error.message.replace(/\.$/, '');
    const health = isDead(error) ? 'dead' : 'silent';
    return { domid, health, why, code: qmpCode(error), controllers: [], devices: [] };
  }
}

/** What a QEMU has. Rejects with `QmpError`. */
export async function belongingsOf(qemu: Qemu, call: QmpCallOptions): Promise<Belongings> {
  const peripherals = await listPeripherals(qemu, call);
  const devices: FoundDevice[] = [];
  for (const peripheral of peripherals) {
    const device = await describe(qemu, peripheral, call);
    if (device) devices.push(device);
  }
  return {
    controllers: peripherals.flatMap(({ id }) => parseControllerId(id) ?? []),
    devices,
    ids: new Set(peripherals.map(({ id }) => id)),
  };
}

/** Undefined for anything but a host device in one of libxl's controllers, and for what has just gone. */
async function describe(
  qemu: Qemu,
  { id, type }: Peripheral,
  call: QmpCallOptions,
): Promise<FoundDevice | undefined> {
  if (type !== 'usb-host') return undefined;
  const qusb = parseQusbPort(id);
  try {
    if (qusb) return { type: 'qusb', id, ...qusb, ...(await describeQusbDevice(qemu, id, call)) };
    const { controller, port: place, hostbus, hostaddr, attached } = await describeHostDevice(qemu, id, call);
    const devid = controller === undefined ? undefined : parseControllerId(controller);
    const port = parseNumber(place);
    if (devid === undefined || port === undefined) return undefined;
    return { type: 'devicemodel', id, devid, port, hostbus, hostaddr, open: attached };
  } catch (error) {
    if (isQmpError(error, 'refused') && error.class === 'DeviceNotFound') return undefined;
    throw error;
  }
}

/**
 * The domains whose QEMUs are involved with USB: guests that have or can have emulated controllers, and guests with
 * qusb ones.
 */
export function qemusToAsk({ domains, controllers }: Inventory): number[] {
  const needs = (domid: number): boolean =>
    controllers.some((controller) => controller.domid === domid && isOfQemu(controller));
  return domains
    .filter(({ alive, deviceModel }) => alive && deviceModel?.running)
    .filter(({ domid, type }) => type === 'hvm' || needs(domid))
    .map(({ domid }) => domid);
}
