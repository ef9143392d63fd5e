/** Lending a virtual device. */
import { PvusbError } from '../model/errors.js';
import { type DomainName, findDomain } from '../model/find.js';
import { type ControllerType, XenbusState } from '../model/inventory.js';
import { backendPath, type ControllerId, frontendPath, parseNumber, portStatePath } from '../model/layout.js';
import { VIRTUAL_FORM, type VirtualName } from '../model/virtual.js';
import type { CallOptions, Host } from '../observe/host.js';
import { requireImage } from '../observe/images.js';
import { planAttachVirtual } from '../plan/attach-virtual.js';
import type { AttachRequest } from '../plan/target.js';
import { virtualState } from '../types/port-state.js';
import type { PortState } from '../types/served-type.js';
import type { AttachOptions } from './attach.js';
import { watchTaken } from './attachment.js';
import { type Outcome, operate } from './operate.js';

/** A virtual device that was attached, and what has become of it. */
export interface AttachedVirtual extends ControllerId {
  readonly port: number;
  readonly virtual: VirtualName;
  readonly type: ControllerType;
  /** Absent in a dry run, and when it could not be seen. */
  readonly state?: PortState;
}

/**
 * Gives a domain a virtual device, which pvusb's own backend makes: on the given port, on the first free one of the given
 * controller, or on a controller of its own.
 *
 * @throws {PvusbError} `image-unusable`: the image does not exist, is neither a file nor a block device, or the host is
 *   using it; `no-usbback`: the backend is not running; `already-attached`: the image is written to by another guest;
 *   `not-opened`, `no-such-domain`, `no-such-controller`, `no-such-port`, `port-in-use`, `controller-full`,
 *   `unsupported-type`...; a failed attach leaves nothing behind, or the code is `rollback-failed`
 */
export async function attachVirtual(
  host: Host,
  request: Omit<AttachRequest, 'force'> & { readonly domain: DomainName; readonly device: VirtualName },
  options: AttachOptions = {},
): Promise<Outcome<AttachedVirtual>> {
  const { device } = request;
  // Before anything is planned: the backend would say the same, but only after a controller was made.
  if (host.images) await requireImage(host.images, device);
  const { plan, result } = await operate(host, options, (inventory) => {
    const domain = findDomain(inventory, request.domain);
    const planned = planAttachVirtual(inventory, domain, device, request);
    const { domid, devid, port, type, created } = planned.target;
    const attached: AttachedVirtual = { domid, devid, port, virtual: device, type };
    return { plan: planned.plan, result: { attached, isNew: created !== undefined } };
  });
  const { attached, isNew } = result;
  if (options.dryRun) return { plan, result: attached };
  const { signal, watchMs } = options;
  const state = await watchVirtual(host, attached, isNew, { signal, withinMs: watchMs });
  return { plan, result: { ...attached, ...(state === undefined ? {} : { state }) } };
}

function watchVirtual(
  host: Host,
  at: AttachedVirtual,
  isNew: boolean,
  options: CallOptions & { readonly withinMs?: number | undefined },
): Promise<PortState | undefined> {
  const paths = [`${frontendPath(at)}/state`, portStatePath(backendPath(at, 'vusb'), at.port)];
  return watchTaken(host, isNew, options, async () => {
    const [guest, shown] = (await host.xenstore.readMany(paths, options)).map(parseNumber);
    return { state: virtualState(shown, guest), mayTake: guest === XenbusState.connected };
  });
}

/** The error for a text that is meant to name a virtual device, and does not. */
export function notVirtual(untrustedText: string): PvusbError {
  const sentence = `${JSON.stringify(untrustedText)} is not the name of a virtual device: it is ${VIRTUAL_FORM}, with the absolute path of an image.`;
  return new PvusbError('invalid-argument', sentence);
}
