/** The duty that gives a returned guest what it had. */

import type { QuiescedGuest } from '../../quiesced/index.js';
import type { Busid } from '../../sysfs/busid.js';
import { isPvusbError } from '../model/errors.js';
import { controllersOf, domainAt, placesOf } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import type { Plan } from '../model/plan.js';
import { heldBack } from '../model/quiesced.js';
import { isBuilt, isNotYet, MAKING_MS } from '../observe/built.js';
import type { Attachment } from '../verbs/attach.js';
import { meetWant } from '../verbs/reconcile.js';
import { reviveDevice } from '../verbs/revive.js';
import type { Duty, DutyContext } from './duty.js';
import { findAgain, type GuestsSeen, type Lent, type Returning } from './guests-seen.js';
import type { Look } from './monitor.js';

/** How long a guest that came back may take to be ready for its devices. */
const READY_WITHIN_MS = 120_000;

/** How long libxl may take to recreate the guest's controllers; after that one is added here. */
const CONTROLLERS_WITHIN_MS = 60_000;

/** A guest that is gone still has it, or its QEMU does, or it is being given back. */
const MAY_CHANGE = ['no-such-device', 'already-attached', 'half-attached', 'host-needs-it'] as const;

/** The pause between two tries. */
const RETRY_MS = 1_000;

/** The result; nothing when the guest already has the device. */
interface Reattached {
  readonly attachment?: Attachment;
  /** In a dry run. */
  readonly plans?: readonly Plan[];
  /** Why the guest does not get it. */
  readonly why?: string;
}

/** Attaches what returned guests had before. */
export class Reattach implements Duty {
  readonly #context: DutyContext;
  readonly #seen: GuestsSeen;

  constructor(context: DutyContext, seen: GuestsSeen) {
    this.#context = context;
    this.#seen = seen;
  }

  dueMs(nowMs: number): number | undefined {
    return this.#seen.returning.length > 0 ? nowMs + RETRY_MS : undefined;
  }

  async see({ inventory }: Look): Promise<void> {
    const { host, tell, trouble } = this.#context;
    let quiesced: readonly QuiescedGuest[] | undefined;
    try {
      quiesced = this.#seen.returning.length === 0 ? [] : await host.quiesced?.list();
    } catch (error) {
      trouble(error);
      return;
    }
    for (const guest of this.#seen.returning) {
      const { domid, name } = guest;
      const isHeld = heldBack({ quiesced: quiesced ?? [] }, guest) !== undefined;
      for (const lent of guest.lent) {
        // Its restore gives it back.
        if (isHeld) this.#seen.settle(guest, lent);
        if (isHeld) continue;
        const reattached = await this.#reattach(inventory, guest, lent);
        if (reattached === 'later') continue;
        const { attachment, plans = [], why } = reattached;
        this.#seen.settle(guest, lent, attachment && { ...lent, ...attachment });
        for (const plan of plans) tell({ event: 'planned', plan });
        if (attachment) tell({ event: 'returned', name, attachment });
        if (why !== undefined) tell({ event: 'not-returned', domid, name, busid: lent.busid, why });
      }
    }
  }

  /** Attaches one device: to the port that it was in, if that is free. */
  async #reattach(inventory: Inventory, guest: Returning, lent: Lent): Promise<Reattached | 'later'> {
    const { host, options, carry } = this.#context;
    const { domid, sinceMs } = guest;
    const sinceReturnMs = host.clock.nowMs() - sinceMs;
    const isLate = sinceReturnMs > READY_WITHIN_MS;
    const device = findAgain(inventory, lent);
    if (!device) return isLate ? { why: 'It is not plugged in.' } : 'later';
    const holder = placesOf(inventory, device.busid)[0]?.controller.domid;
    if (holder === domid) return {};
    const { signal } = options;
    if (sinceReturnMs < MAKING_MS && !(await isBuilt(host, domainAt(inventory, domid)!, { signal })))
      return 'later';
    const controller = controllersOf(inventory, domid).find(({ devid }) => devid === lent.devid);
    if (!controller && sinceReturnMs < CONTROLLERS_WITHIN_MS) return 'later';
    const isFree = controller?.ports.some(({ port, busid }) => port === lent.port && busid === undefined);
    const at = controller && isFree ? { devid: lent.devid, port: lent.port } : {};
    try {
      const revival = holder === undefined ? await this.#revive(device.busid) : undefined;
      const want = { domid, device: { busid: device.busid, identity: lent.identity, ...at } };
      const own = { what: 'attach', request: want, why: 'the guest had it before it was restarted' };
      const { changes, plans } = await carry(own, (operation) =>
        meetWant(host, want, { ...operation, isBuilt: true }),
      );
      if (options.dryRun) return { plans: [...(revival ? [revival] : []), ...plans] };
      const attached = changes.find(({ change }) => change === 'attached');
      if (attached?.change !== 'attached') return {};
      const { devid, port } = attached;
      return { attachment: { domid, devid, port, busid: device.busid } };
    } catch (error) {
      if (signal?.aborted || isPvusbError(error, 'connection-lost')) throw error;
      const isEarly = isPvusbError(error, ...MAY_CHANGE) || isNotYet(error);
      return isEarly && !isLate ? 'later' : { why: error instanceof Error ? error.message : String(error) };
    }
  }

  /**
   * libxl kills the QEMU of a rebooting guest, and a killed QEMU gives no device back to its drivers. Lent again like
   * that, the device would have no driver to go back to. A driver that does not take it is reported, but is no reason
   * not to attach.
   */
  async #revive(busid: Busid): Promise<Plan | undefined> {
    const { host, carry, trouble } = this.#context;
    try {
      const own = { what: 'revive', request: { busid }, why: 'no host driver has it' };
      return await carry(own, (operation) => reviveDevice(host, busid, operation));
    } catch (error) {
      trouble(error);
      return undefined;
    }
  }
}
