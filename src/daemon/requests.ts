/** What is waiting for approval: devices that rules of mode `ask` would give to guests that run. */
import { createHash } from 'node:crypto';
import {
  type Assignment,
  deviceAt,
  domainAt,
  type Inventory,
  PvusbError,
  type UsbDevice,
} from '../pvusb/index.js';
import type { AskRequest } from './service.js';

/** A controller and a port; absent: any. */
interface AskedPlace {
  readonly devid?: number | undefined;
  readonly port?: number | undefined;
}

/** Requests, and which plugs were refused. Nothing of it outlives the daemon: what was refused is asked again. */
export class Requests {
  #waiting: readonly AskRequest[] = [];
  /** Where the rules want them. */
  #places = new Map<string, AskedPlace>();
  readonly #refused = new Set<string>();

  /** Those that wait. */
  get waiting(): readonly AskRequest[] {
    return this.#waiting;
  }

  /** Where the rule of a request wants the device. */
  placeOf({ id }: AskRequest): AskedPlace {
    return this.#places.get(id) ?? {};
  }

  /** Takes over what has become of the assignments. True when something else waits now. */
  see(inventory: Inventory, assignments: readonly Assignment[]): boolean {
    const made = assignments.flatMap((assignment) => requestOf(inventory, assignment) ?? []);
    this.#places = new Map(made.map(({ request, place }) => [request.id, place]));
    const asked = made.map(({ request }) => request);
    // A refusal is for one plug, in one run of a guest.
    const there = new Set(asked.map(({ id }) => id));
    for (const id of this.#refused) if (!there.has(id)) this.#refused.delete(id);
    return this.#set(asked.filter(({ id }) => !this.#refused.has(id)));
  }

  /** It is not asked again until the device is plugged in again, or its guest starts again. */
  refuse(id: string): boolean {
    this.#refused.add(id);
    return this.#set(this.#waiting.filter((request) => request.id !== id));
  }

  #set(waiting: readonly AskRequest[]): boolean {
    const before = this.#waiting;
    this.#waiting = waiting;
    return before.length !== waiting.length || before.some(({ id }, i) => waiting[i]?.id !== id);
  }
}

function requestOf(
  inventory: Inventory,
  { rule, status, busid, domid }: Assignment,
): { readonly request: AskRequest; readonly place: AskedPlace } | undefined {
  if (rule.mode !== 'ask' || status !== 'pending' || busid === undefined || domid === undefined)
    return undefined;
  const device = deviceAt(inventory, busid);
  if (!device) return undefined;
  const place = `${rule.place.file}:${rule.place.line}`;
  const guest = domainAt(inventory, domid)?.name;
  const { devid, port } = rule;
  const id = idFor(device, { domid, place });
  const request = { id, busid, domid, ...(guest === undefined ? {} : { guest }), rule: place };
  return { request, place: { devid, port } };
}

/** Another device in that socket has another address, and so another request. */
function idFor(
  { busid, bus, address }: UsbDevice,
  { domid, place }: { readonly domid: number; readonly place: string },
): string {
  const about = [busid, bus, address, domid, place].join(' ');
  return createHash('sha256').update(about).digest('hex').slice(0, 12);
}

/**
 * Refuses a request whose device is no longer in its socket.
 *
 * @throws {PvusbError} `no-such-request`
 */
export function requireStill(seen: Inventory, { id, busid, domid, rule }: AskRequest): void {
  const device = seen.devices.find((one) => one.busid === busid);
  if (device && idFor(device, { domid, place: rule }) === id) return;
  throw new PvusbError(
    'no-such-request',
    `The device that was waiting for approval in ${busid} has been pulled out.`,
    {
      where: { busid, domid },
    },
  );
}
