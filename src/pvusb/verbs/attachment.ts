/** What becomes of a device that was just attached: given is not yet taken. */

import type { Busid } from '../../sysfs/busid.js';
import { hasIdentity } from '../../sysfs/identity.js';
import type { ControllerType } from '../model/inventory.js';
import {
  backendPath,
  type ControllerId,
  frontendPath,
  parseNumber,
  portStatePath,
  savedIdentityPath,
} from '../model/layout.js';
import type { CallOptions, Host } from '../observe/host.js';
import { PV_OWN } from '../types/pv-own.js';
import type { PortState } from '../types/served-type.js';
import { servedType } from '../types/types.js';

/** A port and the device that was put into it. */
interface Watched extends ControllerId {
  readonly type: ControllerType;
  readonly busid: Busid;
  readonly port: number;
  /** Our own backend serves it. */
  readonly isOwn: boolean;
  /** The controller was added for it: the guest has not connected to it yet. */
  readonly isNew: boolean;
}

/** How long a guest may take to configure a device that it has been told about, and the pause between two looks. */
const GUEST_WITHIN_MS = 3_000;
const PAUSE_MS = 50;

/**
 * Watches what becomes of a device that was just attached, until the guest has taken it, for at most `withinMs`; looks
 * only once if the guest has no driver that could take it. Never fails: undefined when it cannot be seen.
 */
export async function watchAttachment(
  host: Host,
  watched: Watched,
  options: CallOptions & { readonly withinMs?: number | undefined } = {},
): Promise<PortState | undefined> {
  const { signal } = options;
  const shownAt = portStatePath(backendPath(watched, 'vusb'), watched.port);
  const paths = [
    `${frontendPath(watched)}/state`,
    savedIdentityPath(watched.busid),
    ...(watched.isOwn ? [shownAt] : []),
  ];
  const type = watched.isOwn ? PV_OWN : servedType(watched.type);
  return watchTaken(host, watched.isNew, options, async () => {
    const [[frontend, identity, shown], [device]] = await Promise.all([
      host.xenstore.readMany(paths, { signal }),
      host.sysfs.devices({ signal, wanted: [watched.busid] }),
    ]);
    const isOther = device && identity !== undefined && !hasIdentity(device, identity);
    const guest = parseNumber(frontend);
    if (isOther) return { state: 'other-device', mayTake: false };
    const state = device ? type.lentState(device, guest, parseNumber(shown)) : 'missing';
    return { state, mayTake: type.mayTake(guest) };
  });
}

/** What was seen of a device: its state, and whether the guest may take it at any moment. */
interface Look {
  readonly state: PortState;
  readonly mayTake: boolean;
}

/** Looks again and again, as {@link watchAttachment} says. */
export async function watchTaken(
  host: Host,
  isNew: boolean,
  options: CallOptions & { readonly withinMs?: number | undefined },
  look: () => Promise<Look>,
): Promise<PortState | undefined> {
  const { signal, withinMs = GUEST_WITHIN_MS } = options;
  const endMs = host.clock.nowMs() + withinMs;
  let seen: PortState | undefined;
  try {
    for (;;) {
      const { state, mayTake } = await look();
      seen = state;
      const mayCome = isNew || mayTake;
      if (seen !== 'waiting' || !mayCome || host.clock.nowMs() >= endMs) return seen;
      await host.clock.sleep(PAUSE_MS, signal);
    }
  } catch {
    // The device is attached all the same.
    return seen;
  }
}
