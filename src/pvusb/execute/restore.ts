/** Gives interfaces back to the host's drivers, and removes the records that are no longer needed. */
import {
  type Busid,
  busidOf,
  type DriverName,
  errnoOf,
  type InterfaceId,
  SysfsError,
} from '../../sysfs/index.js';
import { isOnAnother, USBBACK } from '../model/drivers.js';
import { PvusbError } from '../model/errors.js';
import { addressOf, placesOf } from '../model/find.js';
import type { Controller } from '../model/inventory.js';
import {
  FORCED_KEY,
  IDENTITY_KEY,
  ORIGIN_KEY,
  SAVED_DRIVERS,
  savedDevicePath,
  savedIdentityPath,
  savedInterfacePath,
} from '../model/layout.js';
import type { Action, RestoreAction } from '../model/plan.js';
import { observeWithControllers } from '../observe/controllers.js';
import type { CallOptions, Host, XenstoreNodes } from '../observe/host.js';
import { prune } from './commit.js';

/** How often, and at what interval, the kernel is asked for a driver while it still offers usbback. */
const PROBES = 10;
const PROBE_PAUSE_MS = 100;

type Forget = Extract<Action, { do: 'forget' }>;

/**
 * To the recorded driver. If another one has taken it meanwhile, that one keeps it, which is reported: the record
 * stays, and with it the doctor's finding. What a program holds through usbfs is that program's.
 */
export async function restore(
  host: Host,
  action: RestoreAction,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { interface: intf, driver, at } = action;
  try {
    let state = await host.sysfs.stateOf(intf, { signal });
    if (state.driver === USBBACK) {
      if (await isLentAgain(host, busidOf(intf), signal)) return;
      throw new PvusbError(
        'driver-not-restored',
        `${intf} is still bound to usbback, so it was not given back.`,
      );
    }
    if (state.present && state.driver === undefined) {
      await giveBack(host, intf, driver, signal);
      state = await host.sysfs.stateOf(intf, { signal });
    }
    if (!isOnAnother(state.driver, driver) || (await isAnotherPlug(host, busidOf(intf), at, signal))) return;
    const sentence = `${intf} is now on the driver ${state.driver}, not on ${driver} as before.`;
    throw new PvusbError('other-driver', sentence, { where: { busid: busidOf(intf) } });
  } catch (error) {
    if (!(error instanceof SysfsError)) throw error;
    const sentence = `It is not known whether ${intf} was given back: ${error.message}.`;
    throw new PvusbError('driver-not-restored', sentence, { cause: error });
  }
}

/** Sysfs shows which records are no longer needed; the transaction shows whether the device is lent again. */
export async function forget(host: Host, action: Forget, signal: AbortSignal | undefined): Promise<void> {
  const { busid, records, at } = action;
  const served: string[] = [];
  for (const { interface: intf, driver: recorded, keep } of records) {
    const { present, driver } = await host.sysfs.stateOf(intf, { signal });
    if (isOnAnother(driver, recorded) && !(await isAnotherPlug(host, busid, at, signal))) continue;
    const isBack = driver === undefined ? !present : driver !== USBBACK;
    if (isBack || (!keep && driver !== USBBACK)) served.push(savedInterfacePath(busid, intf));
  }
  const call = { signal };
  const once = (): Promise<void> =>
    host.xenstore.transaction(async (nodes) => {
      // Whoever claims the device after this reading makes the transaction start again.
      if (host.latest) await nodes.readMany([savedIdentityPath(busid)], call);
      const controllers =
        (await host.latest?.({ ...call, storeOnly: true }))?.controllers ??
        (await readControllers(nodes, call));
      if (placesOf({ controllers }, busid).length > 0) return;
      await Promise.all(served.map((path) => nodes.rm(path, call)));
      const ignoring = [IDENTITY_KEY, ORIGIN_KEY, FORCED_KEY];
      await prune(nodes, { edit: 'prune', path: savedDevicePath(busid), ignoring }, signal);
      await prune(nodes, { edit: 'prune', path: SAVED_DRIVERS }, signal);
    }, call);
  await (host.commits?.run(once, signal) ?? once());
}

/** Whether someone else has attached the device since its port was freed: a rule does that at once. */
async function isLentAgain(host: Host, busid: Busid, signal: AbortSignal | undefined): Promise<boolean> {
  return placesOf({ controllers: await readControllers(host.xenstore, { signal }) }, busid).length > 0;
}

async function readControllers(nodes: XenstoreNodes, call: CallOptions): Promise<readonly Controller[]> {
  return (await observeWithControllers(nodes, call)).controllers;
}

/** Whether another plug may be in the socket than the one recorded: which driver that has is no business of the record. */
async function isAnotherPlug(
  host: Host,
  busid: Busid,
  at: string | undefined,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (at === undefined) return true;
  const [device] = await host.sysfs.devices({ signal, wanted: [busid] });
  return device !== undefined && addressOf(device) !== at;
}

async function giveBack(
  host: Host,
  intf: InterfaceId,
  driver: DriverName | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  let refusal: unknown;
  if (driver !== undefined) {
    try {
      return await host.sysfs.bind({ interface: intf, driver }, { signal });
    } catch (error) {
      signal?.throwIfAborted();
      refusal = error;
    }
  }
  let found: DriverName | undefined;
  try {
    found = await probe(host, intf, signal);
  } catch (error) {
    signal?.throwIfAborted();
    refusal ??= error;
  }
  // No driver was recorded and none was found: it had none.
  if (found !== undefined || refusal === undefined) return;
  if (driver !== undefined && (await comesWithSibling(host, intf, driver, signal))) return;
  // Pulled out meanwhile: nothing to give back.
  if (!(await host.sysfs.stateOf(intf, { signal })).present) return;
  const reason = errnoOf(refusal) ?? String(refusal);
  const sentence = `${intf} has no driver now: ${driver ?? 'the kernel'} did not take it back (${reason}).`;
  throw new PvusbError('driver-not-restored', sentence, { cause: refusal });
}

/**
 * A driver of several interfaces takes this one only when it takes the first: so, as a last resort, the first is given
 * to it again.
 */
async function comesWithSibling(
  host: Host,
  intf: InterfaceId,
  driver: DriverName,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const [device] = await host.sysfs.devices({ signal, wanted: [busidOf(intf)] });
  const first = device?.interfaces.find((sibling) => sibling.driver === driver);
  if (!first || first.id === intf) return false;
  await host.sysfs.unbind({ interface: first.id, driver }, { signal });
  await host.sysfs.bind({ interface: first.id, driver }, { signal });
  return (await host.sysfs.stateOf(intf, { signal })).driver === driver;
}

/**
 * usbback takes what is still in its list of ports, which follows xenstore with a short delay: so the kernel is asked
 * again.
 */
async function probe(
  host: Host,
  intf: InterfaceId,
  signal: AbortSignal | undefined,
): Promise<DriverName | undefined> {
  for (let left = PROBES; ; left--) {
    const found = await host.sysfs.probe(intf, { signal });
    if (found !== USBBACK) return found;
    await host.sysfs.unbind({ interface: intf, driver: USBBACK }, { signal });
    if (left === 0) return undefined;
    await host.clock.sleep(PROBE_PAUSE_MS, signal);
  }
}
