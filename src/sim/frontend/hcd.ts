/** A guest's USB host controller driver, as Linux' xen-hcd behaves: rings, grants, and what it takes offence at. */
import {
  CONNECTION_RING,
  PACKET_DESCRIPTOR_BYTES,
  PAGE_SIZE,
  RingOffset,
  URB_RING,
} from '../../usbif/layout.js';
import { type CopyRequest, EventPair, GrantTable } from './memory.js';
import { copyPages, type Flight, type GuestResult, type GuestUrb, unlinkWords, urbWords } from './urb.js';

interface Shadow {
  readonly urb: GuestUrb | undefined;
  readonly refs: readonly number[];
  readonly pages: readonly Uint8Array[];
  readonly descriptors: Uint8Array | undefined;
  readonly finish: (result: GuestResult) => void;
}

interface Queued {
  readonly urb: GuestUrb;
  readonly finish: (result: GuestResult) => void;
}

/** `ESHUTDOWN`, with which everything ends on a controller that is dead. */
const SHUTDOWN = -108;

/** Whoever wants to know that something was plugged in or out. */
type PlugListener = (port: number, speed: number) => void;

/** The driver. It answers nothing of its backend with an exception: it goes dead, as the real one does. */
export class SimHcd {
  /** The pages of the rings, one behind the other. */
  readonly rings = new Uint8Array(2 * PAGE_SIZE);
  readonly urbRing = this.rings.subarray(0, PAGE_SIZE);
  readonly connectionRing = this.rings.subarray(PAGE_SIZE);
  readonly grants = new GrantTable();
  readonly events = new EventPair(() => this.#onEvent());
  /** Why the controller is dead; undefined while it works. */
  dead: string | undefined;
  /** Interrupts without anything new for the guest: it slows its backend down for those. */
  spurious = 0;
  readonly #portCount: number;
  readonly #urb = new Int32Array(this.rings.buffer, 0, PAGE_SIZE / 4);
  readonly #connection = new Int32Array(this.rings.buffer, PAGE_SIZE);
  readonly #shadows: (Shadow | undefined)[] = Array.from({ length: URB_RING.entryCount });
  #queue: Queued[] = [];
  #unlinks: GuestUrb[] = [];
  #requestProducer = 0;
  #responseConsumer = 0;
  #connectionConsumer = 0;
  #onPlug: PlugListener = () => undefined;

  constructor(portCount: number) {
    this.#portCount = portCount;
    this.#urb[RingOffset.requestEvent / 4] = 1;
    this.#urb[RingOffset.responseEvent / 4] = 1;
    this.#connection[RingOffset.requestEvent / 4] = 1;
    this.#connection[RingOffset.responseEvent / 4] = 1;
    for (let id = 0; id < CONNECTION_RING.entryCount; id++)
      this.#connection[RingOffset.entries / 4 + id] = id;
    Atomics.store(this.#connection, RingOffset.requestProducer / 4, CONNECTION_RING.entryCount);
  }

  /** What a backend maps: it can be done again after the backend has died. */
  get memory(): {
    readonly urbRing: Uint8Array;
    readonly connectionRing: Uint8Array;
    copy(list: CopyRequest): void;
    close(): void;
  } {
    const { urbRing, connectionRing, grants } = this;
    return { urbRing, connectionRing, copy: (list) => grants.copy(list), close: () => undefined };
  }

  /** Reports plugs from here on. */
  onPlug(listener: PlugListener): void {
    this.#onPlug = listener;
  }

  /** URBs that have not ended. */
  get inFlight(): number {
    return this.#shadows.filter((shadow) => shadow !== undefined).length + this.#queue.length;
  }

  /** Sends a URB, or queues it while the ring is full. */
  submit(urb: GuestUrb): Flight {
    const { promise, resolve } = withResolvers<GuestResult>();
    this.#queue.push({ urb, finish: resolve });
    this.#send();
    return { done: promise, unlink: () => this.#unlink(urb) };
  }

  #unlink(urb: GuestUrb): void {
    const queued = this.#queue.findIndex((one) => one.urb === urb);
    if (queued >= 0) {
      const [one] = this.#queue.splice(queued, 1);
      one!.finish({ status: SHUTDOWN, actualLength: 0, packets: [] });
    } else if (this.#shadows.some((shadow) => shadow?.urb === urb)) {
      this.#unlinks.push(urb);
      this.#send();
    }
  }

  /** Writes raw words as a request and notifies: what a hostile guest does. */
  sendRaw(words: Uint32Array): void {
    this.#urb.set(words, this.#entry(this.#requestProducer));
    this.#requestProducer = (this.#requestProducer + 1) | 0;
    Atomics.store(this.#urb, RingOffset.requestProducer / 4, this.#requestProducer);
    this.events.notifyBackend();
  }

  #entry(index: number): number {
    return (RingOffset.entries + (index & (URB_RING.entryCount - 1)) * URB_RING.entryBytes) / 4;
  }

  #freeId(): number {
    const inRing = (this.#requestProducer - this.#responseConsumer) >>> 0;
    return inRing < URB_RING.entryCount ? this.#shadows.indexOf(undefined) : -1;
  }

  #send(): void {
    const before = this.#requestProducer;
    for (let id = this.#freeId(); id >= 0 && !this.dead; id = this.#freeId()) {
      const ending = this.#unlinks.shift();
      if (ending) {
        const target = this.#shadows.findIndex((shadow) => shadow?.urb === ending);
        if (target >= 0) this.#put(id, unlinkWords(id, ending, target), emptyShadow());
        continue;
      }
      const next = this.#queue.shift();
      if (!next) break;
      const shadow = this.#prepare(next);
      this.#put(id, urbWords(id, next.urb, shadow), shadow);
    }
    if (this.dead) this.#endAll();
    if (before === this.#requestProducer) return;
    Atomics.store(this.#urb, RingOffset.requestProducer / 4, this.#requestProducer);
    const event = Atomics.load(this.#urb, RingOffset.requestEvent / 4);
    const isWanted = (this.#requestProducer - event) >>> 0 < (this.#requestProducer - before) >>> 0;
    if (isWanted) this.events.notifyBackend();
  }

  #put(id: number, words: Uint32Array, shadow: Shadow): void {
    this.#shadows[id] = shadow;
    this.#urb.set(words, this.#entry(this.#requestProducer));
    this.#requestProducer = (this.#requestProducer + 1) | 0;
  }

  #prepare({ urb, finish }: Queued): Shadow {
    const { data, offset = 0, input, packets } = urb;
    const pages = Array.from(
      { length: Math.ceil((offset + data.length) / PAGE_SIZE) },
      () => new Uint8Array(PAGE_SIZE),
    );
    if (data.length === 0) pages.length = 0;
    if (!input) copyPages(pages, offset, data, true);
    let descriptors: Uint8Array | undefined;
    if (packets) {
      descriptors = new Uint8Array(PAGE_SIZE);
      const view = new DataView(descriptors.buffer);
      packets.forEach((packet, at) => {
        view.setUint32(at * PACKET_DESCRIPTOR_BYTES, packet.offset, true);
        view.setUint32(at * PACKET_DESCRIPTOR_BYTES + 4, packet.length, true);
      });
    }
    const refs = pages.map((page) => this.grants.grant(page, !input));
    if (descriptors) refs.push(this.grants.grant(descriptors, false));
    return { urb, refs, pages, descriptors, finish };
  }

  #onEvent(): void {
    const isUrbNews = this.#takeResponses();
    const isPlugNews = this.#takeConnections();
    if (!isUrbNews && !isPlugNews) this.spurious++;
    this.#send();
  }

  #takeResponses(): boolean {
    let isNews = false;
    const finished: (() => void)[] = [];
    do {
      const producer = Atomics.load(this.#urb, RingOffset.responseProducer / 4);
      if ((this.#requestProducer - producer) >>> 0 > URB_RING.entryCount) {
        return this.#die('a response index that was never asked for');
      }
      for (; this.#responseConsumer !== producer && !this.dead; isNews = true) {
        const at = this.#entry(this.#responseConsumer);
        const answer = this.#urb.slice(at, at + 4);
        this.#responseConsumer = (this.#responseConsumer + 1) | 0;
        finished.push(this.#finish(answer));
      }
      Atomics.store(this.#urb, RingOffset.responseEvent / 4, (this.#responseConsumer + 1) | 0);
    } while (
      !this.dead &&
      Atomics.load(this.#urb, RingOffset.responseProducer / 4) !== this.#responseConsumer
    );
    for (const finish of finished) finish();
    return isNews;
  }

  #finish(answer: Int32Array): () => void {
    const id = answer[0]! & 0xffff;
    const shadow = this.#shadows[id];
    if (!shadow) {
      this.#die(`an answer to request ${id}, which is not in flight`);
      return () => undefined;
    }
    this.#shadows[id] = undefined;
    for (const ref of shadow.refs) this.grants.revoke(ref);
    const { urb, pages, descriptors, finish } = shadow;
    const status = answer[1]!;
    const actualLength = Math.min(Math.max(0, answer[2]!), urb?.data.length ?? 0);
    if (urb?.input) copyPages(pages, urb.offset ?? 0, urb.data, false);
    const view = descriptors && new DataView(descriptors.buffer);
    const packets = (urb?.packets ?? []).map((_, at) => ({
      actualLength: view!.getUint32(at * PACKET_DESCRIPTOR_BYTES + 8, true),
      status: view!.getInt32(at * PACKET_DESCRIPTOR_BYTES + 12, true),
    }));
    return () => finish({ status, actualLength, packets });
  }

  #takeConnections(): boolean {
    let isNews = false;
    const producer = Atomics.load(this.#connection, RingOffset.responseProducer / 4);
    const asked = Atomics.load(this.#connection, RingOffset.requestProducer / 4);
    if ((asked - producer) >>> 0 > CONNECTION_RING.entryCount)
      return this.#die('a connection index out of range');
    for (; this.#connectionConsumer !== producer; isNews = true) {
      const slot = this.#connectionConsumer & (CONNECTION_RING.entryCount - 1);
      const word = this.#connection[RingOffset.entries / 4 + slot]!;
      this.#connectionConsumer = (this.#connectionConsumer + 1) | 0;
      const [port, speed] = [(word >>> 16) & 0xff, word >>> 24];
      if (port === 0 || port > this.#portCount || speed > 3)
        return this.#die('an impossible connection event');
      // The same request goes back for the next event.
      const request = Atomics.load(this.#connection, RingOffset.requestProducer / 4);
      this.#connection[RingOffset.entries / 4 + (request & (CONNECTION_RING.entryCount - 1))] = word & 0xffff;
      Atomics.store(this.#connection, RingOffset.requestProducer / 4, (request + 1) | 0);
      this.#onPlug(port, speed);
    }
    Atomics.store(this.#connection, RingOffset.responseEvent / 4, (this.#connectionConsumer + 1) | 0);
    return isNews;
  }

  #die(reason: string): boolean {
    this.dead ??= reason;
    return true;
  }

  #endAll(): void {
    const result = { status: SHUTDOWN, actualLength: 0, packets: [] };
    for (const { finish } of this.#queue.splice(0)) finish(result);
    for (const [id, shadow] of this.#shadows.entries()) {
      this.#shadows[id] = undefined;
      shadow?.finish(result);
    }
  }
}

function emptyShadow(): Shadow {
  return { urb: undefined, refs: [], pages: [], descriptors: undefined, finish: () => undefined };
}

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
