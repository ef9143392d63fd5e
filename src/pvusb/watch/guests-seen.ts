/** What a watch remembers of guests: who has which devices, and what guests that went away are owed. No IO. */
import { type Busid, formatIdentity, hasIdentity, hasSerial, type UsbDevice } from '../../sysfs/index.js';
import {
  deviceAt,
  findControllerOf,
  hostControllers,
  isOf,
  livingGuests,
  placesOf,
  savedFor,
} from '../model/find.js';
import type { Domain, Inventory } from '../model/inventory.js';

/** A device that a guest has, so that the guest can get it again. */
export interface Lent {
  readonly busid: Busid;
  readonly identity: string;
  readonly devid: number;
  readonly port: number;
}

/** A guest as it was when it was last seen. */
interface Remembered {
  readonly uuid: string;
  readonly domid: number;
  readonly name?: string | undefined;
  readonly lent: readonly Lent[];
}

/** A guest that is back under another number, and what it should get. */
export interface Returning extends Remembered {
  /** When it was seen again (the clock's milliseconds). */
  readonly sinceMs: number;
}

/** What a look has revealed. */
interface GuestChanges {
  readonly gone: readonly Remembered[];
  /** Devices that guests have got and lost, whoever did it. */
  readonly attached: readonly GuestDevice[];
  readonly detached: readonly GuestDevice[];
}

/** A guest, and a device of it. */
export interface GuestDevice {
  readonly domid: number;
  readonly name?: string | undefined;
  readonly busid: Busid;
}

/** How long the devices of a guest that is gone are kept for it: a reboot takes seconds, a save and restore longer. */
const KEEP_MS = 10 * 60_000;

/**
 * A device whose port was emptied: the toolstack removes a guest's devices before the guest is gone, and that is not a
 * deliberate detach. If the controller stays for this long it was one; if the controller goes and the guest stays, it
 * takes longer to tell.
 */
const WISH_MS = 5_000;
const WISH_WITHOUT_CONTROLLER_MS = 15_000;

interface Guest extends Remembered {
  /** Devices in `lent` whose ports are empty, and since when. */
  readonly leaving: ReadonlyMap<Busid, number>;
}

interface Owed {
  readonly lent: readonly Lent[];
  readonly goneMs: number;
  /** When the guest was seen again. */
  readonly backMs?: number;
}

/** Guests by uuid, which a reboot keeps. */
export class GuestsSeen {
  readonly #present = new Map<string, Guest>();
  readonly #owed = new Map<string, Owed>();
  readonly #wishMs: number;

  constructor({ wishMs = WISH_MS }: { readonly wishMs?: number | undefined } = {}) {
    this.#wishMs = wishMs;
  }

  /** When a look is due even if nothing happens; undefined when none is. */
  get dueMs(): number | undefined {
    const since = [...this.#present.values()].flatMap(({ leaving }) => [...leaving.values()]);
    return since.length === 0 ? undefined : Math.min(...since) + this.#wishMs;
  }

  /** Guests that are back and lack something that they had. */
  get returning(): Returning[] {
    return [...this.#owed].flatMap(([uuid, { lent, backMs }]) => {
      const guest = this.#present.get(uuid);
      if (!guest || backMs === undefined || lent.length === 0) return [];
      return { uuid, domid: guest.domid, name: guest.name, lent, sinceMs: backMs };
    });
  }

  /** What a guest was owed is settled: it has the device in that place, or will not get it. */
  settle({ uuid }: Remembered, settled: Lent, has?: Lent): void {
    const owed = this.#owed.get(uuid);
    const guest = this.#present.get(uuid);
    if (owed) this.#owed.set(uuid, { ...owed, lent: without(owed.lent, [settled]) });
    if (guest && has) this.#present.set(uuid, { ...guest, lent: [...without(guest.lent, [has]), has] });
  }

  /** Processes a look at the host. */
  see(inventory: Inventory, nowMs: number): GuestChanges {
    const alive = this.#guestsOf(inventory);
    const gone = [...this.#present.values()].filter(({ uuid, domid }) => alive.get(uuid)?.domid !== domid);
    for (const { uuid, lent } of gone) {
      this.#present.delete(uuid);
      // What it was still owed from the time before last, it is owed too.
      const before = this.#owed.get(uuid)?.lent ?? [];
      this.#owed.set(uuid, { lent: [...without(before, lent), ...lent], goneMs: nowMs });
    }
    for (const [uuid, { goneMs }] of this.#owed) {
      if (!alive.has(uuid) && nowMs - goneMs > KEEP_MS) this.#owed.delete(uuid);
    }
    const seen = [...alive].map(([uuid, domain]) => this.#seeGuest(inventory, uuid, domain, nowMs));
    return {
      gone,
      attached: seen.flatMap(({ attached }) => attached),
      detached: seen.flatMap(({ detached }) => detached),
    };
  }

  /** Living guests. While one migrates to its own host, two have the same uuid: the known one counts. */
  #guestsOf(inventory: Inventory): Map<string, Domain> {
    const guests = new Map<string, Domain>();
    for (const domain of livingGuests(inventory)) {
      const { domid, uuid } = domain;
      if (uuid === undefined) continue;
      if (!guests.has(uuid) || domid === this.#present.get(uuid)?.domid) guests.set(uuid, domain);
    }
    return guests;
  }

  #seeGuest(inventory: Inventory, uuid: string, { domid, name }: Domain, nowMs: number) {
    const before = this.#present.get(uuid);
    const has = lentTo(inventory, domid, before?.lent ?? []);
    const missing = without(before?.lent ?? [], has);
    const since = new Map(missing.map(({ busid }) => [busid, before?.leaving.get(busid) ?? nowMs]));
    const taken = missing.filter((lent) =>
      this.#isWish(inventory, domid, lent, nowMs - since.get(lent.busid)!),
    );
    const leaving = without(missing, taken);
    for (const { busid } of taken) since.delete(busid);
    this.#present.set(uuid, { uuid, domid, name, lent: [...has, ...leaving], leaving: since });
    const owed = this.#owed.get(uuid);
    if (owed) {
      this.#owed.set(uuid, { ...owed, lent: without(owed.lent, has), backMs: owed.backMs ?? nowMs });
    }
    const tell = ({ busid }: Lent): GuestDevice => ({ domid, name, busid });
    return {
      attached: before ? without(has, before.lent).map(tell) : [],
      detached: taken.map(tell),
    };
  }

  /** Whether someone detached a device from its port, rather than ended the guest. */
  #isWish(inventory: Inventory, domid: number, { busid, devid }: Lent, forMs: number): boolean {
    if (placesOf(inventory, busid).length > 0) return true;
    const controller = findControllerOf(inventory, { domid, devid });
    return forMs >= (controller?.online ? this.#wishMs : Math.max(this.#wishMs, WISH_WITHOUT_CONTROLLER_MS));
  }
}

function without(all: readonly Lent[], others: readonly Lent[]): Lent[] {
  return all.filter(({ busid }) => !others.some((other) => other.busid === busid));
}

/** What a guest has. A device that has been pulled out, or exchanged for another, still counts as the original one. */
function lentTo(inventory: Inventory, domid: number, before: readonly Lent[]): Lent[] {
  return hostControllers(inventory)
    .filter((controller) => controller.domid === domid)
    .flatMap(({ devid, ports }) =>
      ports.flatMap(({ port, busid }): Lent[] => {
        if (busid === undefined) return [];
        const known = before.find(
          (lent) => lent.busid === busid && lent.devid === devid && lent.port === port,
        );
        const device = deviceAt(inventory, busid);
        const isIt = device !== undefined && isOf(savedFor(inventory, busid), device, true);
        if (known && !(isIt && hasIdentity(device, known.identity))) return [known];
        return isIt ? [{ busid, identity: formatIdentity(device), devid, port }] : [];
      }),
    );
}

/** Finds the device again: in its socket, or, if its serial number identifies it, in another one. */
export function findAgain(inventory: Inventory, { busid, identity }: Lent): UsbDevice | undefined {
  const there = deviceAt(inventory, busid);
  if (there && hasIdentity(there, identity)) return there;
  const others = inventory.devices.filter((device) => hasIdentity(device, identity));
  return others.length === 1 && hasSerial(identity) ? others[0] : undefined;
}
