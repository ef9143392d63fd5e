/** Performs one action of a plan. */
import { DeadlineError, withDeadline } from '../../async/index.js';
import { type Binding, SysfsError } from '../../sysfs/index.js';
import { USBBACK } from '../model/drivers.js';
import { PvusbError } from '../model/errors.js';
import { ConflictError } from '../model/failure.js';
import { XenbusState } from '../model/inventory.js';
import { frontendPath, parseNumber } from '../model/layout.js';
import type { Action } from '../model/plan.js';
import { type Named, nameController, nameDomain } from '../model/wording.js';
import type { Host } from '../observe/host.js';
import { commit } from './commit.js';
import { awaitOwnBackend } from './own-backend.js';
import { endQemu, startQemu } from './own-qemu.js';
import type { Performing } from './performing.js';
import { performInQemu } from './qemu.js';
import { forget, restore } from './restore.js';
import { stillHeld } from './still-held.js';

/** Longest time that usbback may take to notice a port. */
const NOTICED_WITHIN_MS = 2_000;

type Verify = Extract<Action, { do: 'verify' }>;
type Take = Extract<Action, { do: 'take' }>;
type Await = Extract<Action, { do: 'await' }>;

/**
 * Performs one action.
 *
 * @throws {ConflictError} a fact no longer holds; nothing was done
 * @throws the errors of the clients, {@link PvusbError} `driver-not-restored`, `state-timeout`, `domain-gone`,
 *   `not-opened`, `qemu-dead`, `qemu-timeout`
 */
export async function perform(host: Host, action: Action, call: Performing): Promise<void> {
  const { signal } = call;
  switch (action.do) {
    case 'commit':
      return commit(host, action, call);
    case 'bind':
      return bind(host, { interface: action.interface, driver: action.driver }, signal);
    case 'unbind':
      return host.sysfs.unbind({ interface: action.interface, driver: action.driver }, { signal });
    case 'verify':
      return verify(host, action, signal);
    case 'take':
      return take(host, action, signal);
    case 'restore':
      return restore(host, action, signal);
    case 'forget':
      return forget(host, action, signal);
    case 'await':
      return awaitState(host, action, call);
    case 'served':
    case 'unserved':
      return awaitOwnBackend(host, action, call);
    case 'start-qemu':
      return startQemu(host, action, call);
    case 'end-qemu':
      return endQemu(host, action.domid);
    default:
      return performInQemu(host, action, call);
  }
}

/**
 * usbback takes what a port names, and learns of ports through a watch: for a moment after the claim it may not know
 * the port, and returns ENODEV (drivers/xen/xen-usbback of SUSE's kernels: usbstub_probe, find_portid_by_busid).
 */
async function bind(host: Host, binding: Binding, signal: AbortSignal | undefined): Promise<void> {
  const endMs = host.clock.nowMs() + NOTICED_WITHIN_MS;
  for (let pauseMs = 5; ; pauseMs *= 2) {
    try {
      return await host.sysfs.bind(binding, { signal });
    } catch (error) {
      const leftMs = endMs - host.clock.nowMs();
      const mayCome =
        binding.driver === USBBACK && error instanceof SysfsError && error.code === 'ENODEV' && leftMs > 0;
      if (!mayCome || !(await host.sysfs.stateOf(binding.interface, { signal })).present) throw error;
      await host.clock.sleep(Math.min(pauseMs, leftMs), signal);
    }
  }
}

async function verify(host: Host, action: Verify, signal: AbortSignal | undefined): Promise<void> {
  const { busid, bus, address } = action;
  const [device] = await host.sysfs.devices({ signal, wanted: [busid] });
  if (device?.bus === bus && device.address === address) return;
  throw new ConflictError(device ? `another device is in ${busid} now` : `${busid} has been pulled out`);
}

/** Off its driver; for one that left it together with a sibling there is nothing to record. */
async function take(host: Host, action: Take, signal: AbortSignal | undefined): Promise<void> {
  const { interface: intf, driver, record } = action;
  const state = await host.sysfs.stateOf(intf, { signal });
  if (state.driver === undefined && state.present) await host.xenstore.rm(record, { signal });
  else await host.sysfs.unbind({ interface: intf, driver }, { signal });
}

async function awaitState(host: Host, action: Await, call: Performing): Promise<void> {
  const { signal } = call;
  const { path, states, orGone, withinMs } = action;
  const changes = await host.xenstore.watch(path, { signal });
  let seen: string | undefined;
  try {
    await withDeadline(host.clock, { withinMs, signal }, async (limited) => {
      for (;;) {
        await changes.next({ signal: limited });
        [seen] = await host.xenstore.readMany([path], { signal: limited });
        if (seen === undefined && orGone) return;
        if (seen === undefined) throw goneWhile(action, call);
        if (states.includes(parseNumber(seen) ?? -1)) return;
      }
    });
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error;
    throw await timeoutOf(host, action, error, call);
  } finally {
    await changes.close();
  }
}

function goneWhile({ domid, devid, server, path }: Await, named: Named): PvusbError {
  const sentence = `${nameDomain(named, domid, 'Domain')}, or its controller ${devid}, disappeared while waiting for ${server} to take it: ${path} is gone.`;
  return new PvusbError('domain-gone', sentence, { where: { domid, devid } });
}

/** Who has not answered: for a controller that is being removed it is the guest, unless that has closed its end. */
async function timeoutOf(
  host: Host,
  { domid, devid, server, orGone, withinMs }: Await,
  cause: Error,
  call: Performing,
): Promise<PvusbError> {
  const where = { domid, devid };
  const after = `within ${withinMs / 1000} s`;
  if (!orGone) {
    const sentence = `${server} has not taken ${nameController(call, where)} ${after}.`;
    return new PvusbError('state-timeout', sentence, { where, cause });
  }
  const [state] = await host.xenstore.readMany([`${frontendPath(where)}/state`], { signal: call.signal });
  const isClosed = (parseNumber(state) ?? XenbusState.closed) >= XenbusState.closed;
  const who = isClosed ? server : 'The guest';
  return stillHeld(call, where, `${who} has not released ${nameController(call, where)} ${after}.`, cause);
}
