/** What the page knows about the host: answers of the daemon, kept as they came. Pure. */
import type { AnswerOf, Role, ServiceState } from '../../src/api/index.js';

/** A device, and what is known about it. */
export type Device = AnswerOf<'devices'>[number];
/** A guest with its controllers. */
export type Guest = AnswerOf<'list'>[number];
/** A controller of a guest. */
export type Controller = Guest['controllers'][number];
/** A port of a controller. */
export type Port = Controller['ports'][number];
/** A rule that gives a device to a guest, and what has become of it. */
export type Assignment = AnswerOf<'assignments'>[number];
/** A device waiting for approval. */
export type AskRequest = AnswerOf<'requests'>[number];
/** Something half done or left over. */
export type Finding = AnswerOf<'doctor'>['findings'][number];
/** Who uses the page. */
export type Self = AnswerOf<'whoami'>;
export type { Role, ServiceState };

/** A device that was pulled out while the page was open. */
export interface Gone {
  readonly busid: string;
  readonly name: string;
  readonly classes: string;
}

/** The host as it is shown. */
export interface View {
  readonly devices: readonly Device[];
  readonly guests: readonly Guest[];
  readonly assignments: readonly Assignment[];
  /** The latest last. */
  readonly gone: readonly Gone[];
}

/** Nothing is known yet. */
export const NO_VIEW: View = { devices: [], guests: [], assignments: [], gone: [] };

/** A port that has a device, and where it is. */
export interface Place {
  readonly guest: Guest;
  readonly controller: Controller;
  readonly port: Port;
}

/** The ports by the devices in them. */
export function placesOf(guests: readonly Guest[]): ReadonlyMap<string, Place> {
  const found = new Map<string, Place>();
  for (const guest of guests)
    for (const controller of guest.controllers)
      for (const port of controller.ports)
        if (port.busid !== undefined) found.set(port.busid, { guest, controller, port });
  return found;
}

/** What a guest is called. */
export function guestName({ name, domid }: Pick<Guest, 'name' | 'domid'>): string {
  return name ?? `domain ${domid}`;
}

/**
 * The same data with those parts of `before` that are equal: what has not changed is the same object, and is not drawn
 * again.
 */
export function share<T>(before: unknown, now: T): T {
  if (Object.is(before, now)) return now;
  if (Array.isArray(now)) return shareList(before, now) as T;
  if (!isRecord(now) || !isRecord(before)) return now;
  const keys = Object.keys(now);
  const shared = Object.fromEntries(keys.map((key) => [key, share(before[key], now[key])]));
  const isSame =
    Object.keys(before).length === keys.length && keys.every((key) => Object.is(before[key], shared[key]));
  return (isSame ? before : shared) as T;
}

function shareList(before: unknown, now: readonly unknown[]): readonly unknown[] {
  if (!Array.isArray(before)) return now;
  const known = new Map(before.map((one: unknown, at) => [keyOf(one, at), one]));
  const shared = now.map((one, at) => share(known.get(keyOf(one, at)), one));
  const isSame = before.length === shared.length && shared.every((one, at) => Object.is(one, before[at]));
  return isSame ? before : shared;
}

/** What tells the entries of a list apart: a device is the same wherever it stands in the list. */
function keyOf(one: unknown, at: number): string {
  if (!isRecord(one)) return `${at}`;
  const { busid, bus, domid, devid, port } = one;
  const named = [busid, bus, domid, devid, port].filter((part) => part !== undefined);
  return named.length === 0 ? `${at}` : named.join(' ');
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
