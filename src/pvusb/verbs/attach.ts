/** Lending a device. */

import type { HostUse } from '../../hostuse/index.js';
import type { ControllerType } from '../../libxl/controller-type.js';
import type { Busid } from '../../sysfs/busid.js';
import type { UsbDevice } from '../../sysfs/device.js';
import { controllersOf, type DomainName, findDevice, findDomain } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import type { Target } from '../model/request.js';
import type { Host } from '../observe/host.js';
import { planAttach } from '../plan/attach.js';
import { resolveType } from '../plan/resolve.js';
import type { AttachRequest } from '../plan/target.js';
import type { PortState } from '../types/served-type.js';
import { watchAttachment } from './attachment.js';
import { type OperationOptions, type Outcome, operate, type Planner, qemuFor } from './operate.js';

/** Where a device is attached. */
export interface Attachment {
  readonly domid: number;
  readonly devid: number;
  readonly port: number;
  readonly busid: Busid;
}

/** Options of {@link attachDevice}. */
export interface AttachOptions extends OperationOptions {
  /** How long the guest may take to use the device before its state is reported as it is; default 3,000 ms. */
  readonly watchMs?: number | undefined;
}

/** A device that was attached, and what has become of it. */
export interface Attached extends Attachment {
  readonly type: ControllerType;
  /** Absent in a dry run, and when it could not be seen. */
  readonly state?: PortState;
  /** What the host was doing with it: no more than it can do without, or the attach was forced. Absent: nothing known. */
  readonly usedByHost?: readonly HostUse[];
}

/** Names a plugged-in device, for {@link attachDevice}. */
export type DeviceName = string | { readonly hostbus: number; readonly hostaddr: number };

/**
 * Lends a device to a domain: on the given port, on the first free one of the given controller, or on the first free
 * one of any controller, adding one if there is none.
 *
 * @throws {PvusbError} `no-such-domain`, `no-such-device`, `ambiguous-device`, `is-hub`, `is-root-hub`,
 *   `already-attached`, `host-needs-it`, `denied-by-rule`, `rules-invalid` (unless the request has a reason, `force`),
 *   `no-such-controller`, `no-such-port`, `port-in-use`, `controller-full`, `no-usbback`,
 *   `no-device-model`, `not-opened`, `port-clash`, `speed-mismatch`, `qemu-dead`, `qemu-busy`, `qemu-timeout`...;
 *   a failed attach leaves nothing behind, or the code is `rollback-failed`
 */
export async function attachDevice(
  host: Host,
  request: AttachRequest & { readonly domain: DomainName; readonly device: DeviceName },
  options: AttachOptions = {},
): Promise<Outcome<Attached>> {
  const planner: Planner<{
    readonly attachment: Attached;
    readonly target: Target;
    readonly isOwn: boolean;
  }> = (inventory) => {
    const domain = findDomain(inventory, request.domain);
    const device = namedDevice(inventory, request.device);
    const { plan, target } = planAttach(inventory, domain, device, request);
    const { domid, devid, port, type } = target;
    const { busid } = device;
    const usedByHost = (inventory.uses ?? []).filter((use) => use.busid === busid);
    const at = { domid, devid, port, busid, type };
    const isOwn = plan.steps.some(({ act }) => act.do === 'served');
    return {
      plan,
      result: { isOwn, attachment: usedByHost.length === 0 ? at : { ...at, usedByHost }, target },
    };
  };
  const { plan, result } = await operate(host, options, planner, {
    rules: true,
    asks(seen) {
      const domain = findDomain(seen, request.domain);
      const there = controllersOf(seen, domain.domid);
      const types = there.filter(({ devid }) => devid === (request.devid ?? devid)).map(({ type }) => type);
      return qemuFor(
        domain,
        request.devid === undefined ? [...types, resolveType(seen, domain, 'auto')] : types,
      );
    },
    lends: (seen) => [namedDevice(seen, request.device).busid],
  });
  const { attachment, target, isOwn } = result;
  if (options.dryRun) return { plan, result: attachment };
  const watched = { ...attachment, isOwn, isNew: target.created !== undefined };
  const { signal, watchMs } = options;
  const state = await watchAttachment(host, watched, { signal, withinMs: watchMs });
  return { plan, result: { ...attachment, ...(state === undefined ? {} : { state }) } };
}

function namedDevice(inventory: Inventory, name: DeviceName): UsbDevice {
  return findDevice(inventory, typeof name === 'string' ? name : `${name.hostbus}.${name.hostaddr}`);
}
