/**
 * What a backend that was killed leaves to the next one: a page of memory that outlives the process. It holds what the
 * rings cannot tell any more: which requests are open, and how the guest sees its devices.
 */
import { PORTS_MAX, URB_RING } from '../usbif/index.js';

/** Bytes of a journal. */
export const JOURNAL_BYTES = 4096;

const MAGIC = 0x6a76_7501;

/** 32-bit words: the head, then 16 slots of 2 words, then 31 ports. */
const Word = { magic: 0, urbRef: 1, connectionRef: 2, eventChannel: 3, from: 4, to: 5, slots: 8, ports: 48 };
const PORT_WORDS = 16;
const SETTINGS_MAX = 32;

const OPEN = 1 << 16;
const ANSWERED = 1 << 17;

/** The connection that a journal is of: a guest that connects again has others. */
interface Connected {
  readonly urbRef: number;
  readonly connectionRef: number;
  readonly eventChannel: number;
}

/** How the guest sees a port. */
export interface PortRecord {
  /** The speed that it was told; 0 when nothing is plugged in. */
  readonly speed: number;
  /** The address that it gave to the device. */
  readonly address: number;
  readonly configuration: number;
  /** The settings of interfaces that are not in their first. */
  readonly settings: ReadonlyMap<number, number>;
  /** A number made of the device's descriptors: another device does not inherit this. */
  readonly fingerprint: number;
}

/** A port without a device. */
export const EMPTY_PORT: PortRecord = {
  speed: 0,
  address: 0,
  configuration: 0,
  settings: new Map(),
  fingerprint: 0,
};

/** What is left of an earlier backend. */
interface Left {
  /** Where the responses continue. */
  readonly responseProducer: number;
  /** The requests without an answer. */
  readonly open: readonly { readonly slot: number; readonly id: number }[];
}

/**
 * The journal of one controller. Every write comes in the order that makes a kill harmless: a request is opened before
 * anything is done with it; its answer's index is noted before the guest can see it, and it is closed after.
 */
export class Journal {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, JOURNAL_BYTES / 4);
  }

  /** Begins a new connection. */
  begin({ urbRef, connectionRef, eventChannel }: Connected): void {
    this.#bytes.fill(0);
    this.#words.set([urbRef, connectionRef, eventChannel], Word.urbRef);
    this.#store(Word.magic, MAGIC);
  }

  /** The connection has ended: there is nothing to take over. */
  end(): void {
    this.#store(Word.magic, 0);
  }

  /** Whether it is the journal of this connection. */
  isOf({ urbRef, connectionRef, eventChannel }: Connected): boolean {
    const [magic, ...head] = this.#words.subarray(Word.magic, Word.eventChannel + 1);
    return (
      magic === MAGIC && head.every((word, at) => word === [urbRef, connectionRef, eventChannel][at]! >> 0)
    );
  }

  /**
   * Works out what is open from the page's `rsp_prod`, which tells whether the last batch of answers went out.
   *
   * @returns undefined when the page shows an index that was never ours: the guest has written it
   */
  left(responseProducer: number): Left | undefined {
    const [from, to] = [this.#words[Word.from]! >>> 0, this.#words[Word.to]! >>> 0];
    if (responseProducer !== from && responseProducer !== to) return undefined;
    const open: { slot: number; id: number }[] = [];
    for (let slot = 0; slot < URB_RING.entryCount; slot++) {
      const state = this.#words[Word.slots + 2 * slot]!;
      const isOut = (state & ANSWERED) !== 0 && responseProducer === to && to !== from;
      if (state & OPEN && !isOut) open.push({ slot, id: state & 0xffff });
      else this.#store(Word.slots + 2 * slot, 0);
    }
    for (const { slot, id } of open) this.#store(Word.slots + 2 * slot, OPEN | id);
    this.#store(Word.from, responseProducer);
    this.#store(Word.to, responseProducer);
    return { responseProducer, open };
  }

  /** A request was taken from the ring. */
  open(slot: number, id: number): void {
    this.#store(Word.slots + 2 * slot, OPEN | id);
  }

  /** Its answer is written, but not shown. */
  answered(slot: number): void {
    const at = Word.slots + 2 * slot;
    this.#store(at, this.#words[at]! | ANSWERED);
  }

  /** All answers up to this index are about to be shown. */
  showing(responseProducer: number): void {
    this.#store(Word.to, responseProducer);
  }

  /** They were: these requests are done. */
  shown(responseProducer: number, slots: readonly number[]): void {
    for (const slot of slots) this.#store(Word.slots + 2 * slot, 0);
    this.#store(Word.from, responseProducer);
  }

  /** What was recorded of a port. */
  port(port: number): PortRecord {
    const at = this.#portAt(port);
    const settings = new Map<number, number>();
    for (let index = 0; index < SETTINGS_MAX; index++) {
      const setting = this.#bytes[at + 16 + index]!;
      if (setting !== 0) settings.set(index, setting);
    }
    const [speed, address, configuration] = this.#bytes.subarray(at, at + 3);
    const fingerprint = this.#words[at / 4 + 1]! >>> 0;
    return { speed: speed!, address: address!, configuration: configuration!, settings, fingerprint };
  }

  /** Records a port. */
  setPort(port: number, { speed, address, configuration, settings, fingerprint }: PortRecord): void {
    if (port > PORTS_MAX) throw new RangeError(`port ${port} does not exist`);
    const at = this.#portAt(port);
    this.#bytes.set([speed, address, configuration], at);
    this.#words[at / 4 + 1] = fingerprint | 0;
    for (let index = 0; index < SETTINGS_MAX; index++)
      this.#bytes[at + 16 + index] = settings.get(index) ?? 0;
  }

  #portAt(port: number): number {
    return 4 * (Word.ports + PORT_WORDS * (port - 1));
  }

  // Each store is seen in order by whoever maps the same file, also when this process ends right after it.
  #store(word: number, value: number): void {
    Atomics.store(this.#words, word, value | 0);
  }
}
