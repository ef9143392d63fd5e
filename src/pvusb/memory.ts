/** What a watch remembers of guests: who has which devices, and who had them when it went. No IO. */
import { type Busid, formatIdentity, hasIdentity, type UsbDevice } from '../sysfs/index.js';
import { deviceAt } from './find.js';
import type { Domain, Inventory } from './model.js';

/** A device that a guest has, so that it can be given to it again. */
export interface Lent {
  readonly busid: Busid;
  readonly identity: string;
  readonly devid: number;
  readonly port: number;
}

/** A guest as it was when it was last seen. */
export interface Remembered {
  readonly uuid: string;
  readonly domid: number;
  readonly name?: string | undefined;
  readonly lent: readonly Lent[];
}

/** A guest that is back under another number, and what it is to get. */
export interface Returning extends Remembered {
  /** When it was seen again (the clock's milliseconds). */
  readonly sinceMs: number;
}

/** What a look has brought to light. */
export interface Changes {
  readonly gone: readonly Remembered[];
  readonly returned: readonly Returning[];
  /** Devices that guests have got and lost, by whomever. */
  readonly attached: readonly Change[];
  readonly detached: readonly Change[];
}

/** A guest, and a device of it. */
export interface Change {
  readonly domid: number;
  readonly name?: string | undefined;
  readonly busid: Busid;
}

/** How long the devices of a guest that is gone are kept for it: a reboot takes seconds, a save and restore longer. */
const KEEP_MS = 10 * 60_000;

/**
 * How long after a domain has shut down nothing counts as detached: its toolstack takes its devices away before it is
 * gone, and that is no wish of anybody's.
 */
const SHUTDOWN_MS = 15_000;

/** Guests by uuid, which a reboot keeps. */
export class Memory {
  readonly #present = new Map<string, Remembered>();
  readonly #gone = new Map<string, Remembered & { readonly sinceMs: number }>();
  #quietUntilMs = Number.NEGATIVE_INFINITY;

  /** Some domain has shut down or is gone (`@releaseDomain`). */
  released(nowMs: number): void {
    this.#quietUntilMs = nowMs + SHUTDOWN_MS;
  }

  /** When a look is due though nothing happens; undefined when none is. */
  dueMs(nowMs: number): number | undefined {
    return this.#quietUntilMs > nowMs ? this.#quietUntilMs : undefined;
  }

  /** Takes in a look at the host. */
  see(inventory: Inventory, nowMs: number): Changes {
    const alive = new Map(inventory.domains.flatMap((domain) => guestOf(domain)));
    const gone: Remembered[] = [];
    const returned: Returning[] = [];
    const attached: Change[] = [];
    const detached: Change[] = [];
    for (const [uuid, known] of this.#present) {
      if (alive.get(uuid)?.domid === known.domid) continue;
      this.#present.delete(uuid);
      this.#gone.set(uuid, { ...known, sinceMs: nowMs });
      gone.push(known);
    }
    for (const [uuid, { sinceMs }] of this.#gone) if (nowMs - sinceMs > KEEP_MS) this.#gone.delete(uuid);
    for (const [uuid, domain] of alive) {
      const before = this.#present.get(uuid);
      const has = lentTo(inventory, domain.domid);
      const left = this.#gone.get(uuid);
      const isQuiet = nowMs < this.#quietUntilMs;
      const lent = before && isQuiet ? joined(before.lent, has) : has;
      const tell = ({ busid }: Lent): Change => ({ domid: domain.domid, name: domain.name, busid });
      if (before) attached.push(...without(lent, before.lent).map(tell));
      if (before) detached.push(...without(before.lent, lent).map(tell));
      this.#present.set(uuid, { uuid, domid: domain.domid, name: domain.name, lent });
      if (!left) continue;
      this.#gone.delete(uuid);
      const missing = without(left.lent, has);
      if (missing.length > 0) {
        returned.push({ uuid, domid: domain.domid, name: domain.name, lent: missing, sinceMs: nowMs });
      }
    }
    return { gone, returned, attached, detached };
  }
}

function guestOf(domain: Domain): [string, Domain][] {
  return domain.alive && domain.domid !== 0 && domain.uuid !== undefined ? [[domain.uuid, domain]] : [];
}

/** What was there, less what is in another place now, and what is there. */
function joined(before: readonly Lent[], has: readonly Lent[]): Lent[] {
  return [...without(before, has), ...has];
}

function without(all: readonly Lent[], others: readonly Lent[]): Lent[] {
  return all.filter(({ busid }) => !others.some((other) => other.busid === busid));
}

/** What a guest has. Of a device that has been pulled out nobody can say later whether it is the same. */
function lentTo(inventory: Inventory, domid: number): Lent[] {
  return inventory.controllers
    .filter((controller) => controller.domid === domid && controller.backendDomid === 0)
    .flatMap(({ devid, ports }) =>
      ports.flatMap(({ port, busid }) => {
        const device = busid === undefined ? undefined : deviceAt(inventory, busid);
        return device ? [{ busid: device.busid, identity: formatIdentity(device), devid, port }] : [];
      }),
    );
}

/** The device again: in its socket, or wherever the only one of its identity is. */
export function findAgain(inventory: Inventory, { busid, identity }: Lent): UsbDevice | undefined {
  const there = deviceAt(inventory, busid);
  if (there && hasIdentity(there, identity)) return there;
  const others = inventory.devices.filter((device) => hasIdentity(device, identity));
  return others.length === 1 ? others[0] : undefined;
}
