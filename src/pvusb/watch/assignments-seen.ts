/** What a watch remembers of assigned devices: who has them, what was detached on purpose, what left a socket. No IO. */
import { type Decision, formatPlace, type Rule, socketsOf } from '../../rules/index.js';
import type { Busid, UsbDevice } from '../../sysfs/index.js';
import { deviceAt, isAlive } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import type { Assignment, Followed } from '../plan/assigned.js';

/** How long a device that comes back as another one is followed, unless its rule says otherwise. */
const FOLLOW_MS = 15_000;

/** The pauses before another try: they double, up to the longest. */
const RETRY_MS = 1_000;
const RETRY_MAX_MS = 300_000;

/** A device that a guest has by a rule. */
interface Given {
  readonly rule: Rule;
  readonly domid: number;
  readonly plug: string;
  readonly socket: string;
}

/** A device that somebody took from its guest: one plug, one run of the guest, one rule. */
interface Held {
  readonly key: string;
}

interface Failed {
  readonly key: string;
  readonly tries: number;
  readonly nextMs: number;
  readonly why: string;
}

/** Assigned devices, from look to look. */
export class AssignmentsSeen {
  readonly #given = new Map<Busid, Given>();
  readonly #held = new Map<Busid, Held>();
  readonly #failed = new Map<Busid, Failed>();
  /** By socket. */
  readonly #left = new Map<string, { readonly rule: Rule; readonly untilMs: number }>();
  readonly #followed = new Map<Busid, { readonly rule: Rule; readonly plug: string }>();

  /** When the next try is due; undefined when none is. */
  get dueMs(): number | undefined {
    const due = [...this.#failed.values()].map(({ nextMs }) => nextMs);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  /** The devices that stand in for those that have left their sockets just before. */
  follow({ devices }: Inventory, decisions: readonly Decision[], nowMs: number): Followed[] {
    const now = new Map(devices.map((device) => [device.busid, plugOf(device)]));
    for (const [busid, { rule, plug, socket }] of this.#given) {
      if (now.get(busid) === plug) continue;
      this.#given.delete(busid);
      const forMs = rule.followS === undefined ? FOLLOW_MS : rule.followS * 1000;
      this.#left.set(socket, { rule, untilMs: nowMs + forMs });
    }
    for (const [socket, { untilMs }] of this.#left) if (nowMs > untilMs) this.#left.delete(socket);
    for (const [busid, { plug }] of this.#followed) if (now.get(busid) !== plug) this.#followed.delete(busid);
    for (const { device, socket, verdict } of decisions) {
      const left = this.#left.get(socket);
      if (!left) continue;
      this.#left.delete(socket);
      if (verdict.verdict === 'none')
        this.#followed.set(device.busid, { rule: left.rule, plug: plugOf(device) });
    }
    return [...this.#followed].map(([busid, { rule }]) => ({ busid, rule }));
  }

  /** What guests are to get now: not what somebody took from them, nor what has failed just before. */
  see(inventory: Inventory, assignments: readonly Assignment[], nowMs: number): Assignment[] {
    const present = new Set<Busid>();
    for (const assignment of assignments) {
      const { status, busid, domid } = assignment;
      if (status !== 'present' || busid === undefined || domid === undefined) continue;
      present.add(busid);
      this.give(inventory, assignment);
    }
    for (const [busid, { rule, domid }] of this.#given) {
      if (present.has(busid)) continue;
      this.#given.delete(busid);
      const device = deviceAt(inventory, busid);
      if (device && isAlive(inventory, domid)) this.#held.set(busid, { key: keyOf(rule, domid, device) });
    }
    const wanted = assignments.filter(({ want }) => want !== undefined);
    const keys = new Map(
      wanted.map(({ rule, domid, busid }) => [busid!, keyOf(rule, domid!, deviceAt(inventory, busid!)!)]),
    );
    for (const [busid, { key }] of this.#failed) if (keys.get(busid) !== key) this.#failed.delete(busid);
    return wanted.filter(({ busid }) => {
      const failed = this.#failed.get(busid!);
      return this.#held.get(busid!)?.key !== keys.get(busid!) && (!failed || failed.nextMs <= nowMs);
    });
  }

  /** A guest has its device. */
  give(inventory: Inventory, { rule, busid, domid }: Assignment): void {
    const device = deviceAt(inventory, busid!)!;
    const socket = socketsOf(inventory.devices).get(busid!)!;
    this.#given.set(busid!, { rule, domid: domid!, plug: plugOf(device), socket });
    this.#failed.delete(busid!);
  }

  /** A try has failed. True when the reason is a new one. */
  fail({ rule, domid, busid }: Assignment, device: UsbDevice, why: string, nowMs: number): boolean {
    const before = this.#failed.get(busid!);
    const tries = (before?.tries ?? 0) + 1;
    const nextMs = nowMs + Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** (tries - 1));
    this.#failed.set(busid!, { key: keyOf(rule, domid!, device), tries, nextMs, why });
    return before?.why !== why;
  }
}

/** A plug: pulled out and plugged in again, a device has another one. */
function plugOf({ busid, bus, address, vendorId, productId }: UsbDevice): string {
  return `${busid} ${bus}.${address} ${vendorId}:${productId}`;
}

function keyOf(rule: Rule, domid: number, device: UsbDevice): string {
  return `${plugOf(device)} ${domid} ${formatPlace(rule.place)}`;
}
