/** Gives a guest that came back what it had. */
import type { UsbDevice } from '../../sysfs/index.js';
import { isPvusbError } from '../model/errors.js';
import { controllersOf, domainAt, placesOf } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import { isBuilt, isNotYet, MAKING_MS } from '../observe/built.js';
import type { Host } from '../observe/host.js';
import { type Attached, attachDevice } from '../verbs/operations.js';
import { findAgain, type Lent, type Returning } from './guests-seen.js';

/** How long a guest that came back may take to be ready for its devices. */
const READY_WITHIN_MS = 120_000;

/** How long libxl may take to make the controllers that the guest had; then one is made here. */
const CONTROLLERS_WITHIN_MS = 60_000;

/** A guest that is gone has it still, or it is being given back. */
const MAY_CHANGE = ['no-such-device', 'already-attached', 'half-attached'] as const;

/** What has come of it: the device is attached, or will not be, and why; neither when the guest has it already. */
interface Given {
  readonly attachment?: Attached;
  readonly why?: string;
}

/**
 * Attaches one device to a guest that is back: in the port that it was in, if that is free.
 *
 * @throws {PvusbError} `connection-lost`, `aborted`; another failure is told as the reason
 */
export async function giveAgain(
  host: Host,
  inventory: Inventory,
  guest: Returning,
  lent: Lent,
  signal: AbortSignal | undefined,
): Promise<Given | 'later'> {
  const { domid, sinceMs } = guest;
  const sinceReturnMs = host.clock.nowMs() - sinceMs;
  const isLate = sinceReturnMs > READY_WITHIN_MS;
  const device = findAgain(inventory, lent);
  if (!device) return isLate ? { why: 'It is not plugged in.' } : 'later';
  const holder = placesOf(inventory, device.busid)[0]?.controller.domid;
  if (holder === domid) return {};
  if (sinceReturnMs < MAKING_MS && !(await isBuilt(host, domainAt(inventory, domid)!, { signal })))
    return 'later';
  const controller = controllersOf(inventory, domid).find(({ devid }) => devid === lent.devid);
  if (!controller && sinceReturnMs < CONTROLLERS_WITHIN_MS) return 'later';
  const isFree = controller?.ports.some(({ port, busid }) => port === lent.port && busid === undefined);
  const at = controller && isFree ? { devid: lent.devid, port: lent.port } : {};
  try {
    if (holder === undefined) await rouse(host, device, signal);
    const request = { domain: domid, device: device.busid, ...at };
    const { result } = await attachDevice(host, request, { signal, watchMs: 0 });
    return { attachment: result };
  } catch (error) {
    if (signal?.aborted || isPvusbError(error, 'connection-lost')) throw error;
    const isEarly = isPvusbError(error, ...MAY_CHANGE) || isNotYet(error);
    return isEarly && !isLate ? 'later' : { why: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * libxl kills the QEMU of a guest that reboots, and a QEMU that is killed gives no device back to its drivers. Lent again
 * like that, it would have none to be given back to.
 */
async function rouse(host: Host, { interfaces }: UsbDevice, signal: AbortSignal | undefined): Promise<void> {
  if (interfaces.some(({ driver }) => driver !== undefined)) return;
  for (const { id } of interfaces) await host.sysfs.probe(id, { signal }).catch(() => undefined);
}
