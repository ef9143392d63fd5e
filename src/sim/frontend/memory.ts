/** The memory of a simulated guest: pages, the grants on them, and the event channel to its backend. */
import { PAGE_SIZE } from '../../usbif/layout.js';

/** A page that a backend may use. */
interface Grant {
  readonly page: Uint8Array;
  readonly isReadOnly: boolean;
}

/** What is to be copied, as a backend lists it. */
export interface CopyRequest {
  readonly count: number;
  readonly refs: readonly number[];
  readonly offsets: readonly number[];
  readonly lengths: readonly number[];
  readonly blocks: readonly { readonly bytes: Uint8Array }[];
  readonly places: readonly number[];
  readonly toGuest: readonly boolean[];
  readonly statuses: number[];
}

/** `GNTST_bad_gntref` and `GNTST_bad_copy_arg` of Xen's grant_table.h. */
const BAD_REF = -3;
const BAD_COPY = -10;

/** Grants of one guest. */
export class GrantTable {
  readonly #grants = new Map<number, Grant>();
  #nextRef = 8;

  /** Grants a page; gives the reference. */
  grant(page: Uint8Array, isReadOnly: boolean): number {
    const ref = this.#nextRef++;
    this.#grants.set(ref, { page, isReadOnly });
    return ref;
  }

  /** Ends a grant. */
  revoke(ref: number): void {
    this.#grants.delete(ref);
  }

  /** Grants in force. */
  get size(): number {
    return this.#grants.size;
  }

  /** What the hypervisor does for `GNTTABOP_copy`, piece by piece. */
  copy(list: CopyRequest): void {
    for (let at = 0; at < list.count; at++) list.statuses[at] = this.#copyOne(list, at);
  }

  #copyOne(list: CopyRequest, at: number): number {
    const [offset, length, place] = [list.offsets[at]!, list.lengths[at]!, list.places[at]!];
    const grant = this.#grants.get(list.refs[at]!);
    if (!grant || (list.toGuest[at] && grant.isReadOnly)) return BAD_REF;
    if (offset + length > PAGE_SIZE) return BAD_COPY;
    const { bytes } = list.blocks[at]!;
    if (place + length > bytes.length) throw new RangeError('a backend copies outside its own memory');
    const inPage = grant.page.subarray(offset, offset + length);
    const inBlock = bytes.subarray(place, place + length);
    if (list.toGuest[at]) inPage.set(inBlock);
    else inBlock.set(inPage);
    return 0;
  }
}

/** An event channel between a guest and its backend. Notifications come later, and several may be one. */
export class EventPair {
  #backend: (() => void) | undefined;
  #guest: (() => void) | undefined;
  #isDueAtBackend = false;
  #isDueAtGuest = false;
  /** Notifications of the backend. */
  sent = 0;

  /** @param onGuest the guest's handler */
  constructor(onGuest: () => void) {
    this.#guest = onGuest;
  }

  /** The guest notifies its backend. */
  notifyBackend(): void {
    if (this.#isDueAtBackend || !this.#backend) return;
    this.#isDueAtBackend = true;
    setImmediate(() => {
      this.#isDueAtBackend = false;
      this.#backend?.();
    });
  }

  /** The backend's end, bound anew: the one before is closed, as if its process had died. A bind raises an event. */
  bind(): { notify(): void; start(onEvent: () => void): void; close(): void } {
    let own: (() => void) | undefined;
    return {
      notify: () => this.#notifyGuest(),
      start: (onEvent) => {
        own = onEvent;
        this.#backend = onEvent;
        this.notifyBackend();
      },
      close: () => {
        if (this.#backend === own) this.#backend = undefined;
      },
    };
  }

  /** The backend's process dies. */
  kill(): void {
    this.#backend = undefined;
  }

  /** The guest dies. */
  close(): void {
    this.#guest = undefined;
  }

  #notifyGuest(): void {
    this.sent++;
    if (this.#isDueAtGuest) return;
    this.#isDueAtGuest = true;
    setImmediate(() => {
      this.#isDueAtGuest = false;
      this.#guest?.();
    });
  }
}
