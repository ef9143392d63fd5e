/**
 * Waiting for descriptors. The event loop of this process waits for them, as for all else; but its way from an event to a
 * callback is long. So after each event the next is waited for here, briefly, in a single poll(2): while requests go back
 * and forth, each costs one call.
 */
import { fstatSync } from 'node:fs';
import { loop } from '../async/index.js';
import type { Block } from '../backend/boundary.js';
import { LinuxError } from './errors.js';
import type { Library } from './library.js';
import { viewOf } from './structures.js';

/** What a file descriptor waits for. */
export interface Waited {
  readonly readable?: boolean;
  readonly writable?: boolean;
}

/** How long it is waited for the next event, in ms. */
const NEXT_WITHIN_MS = 10;

/** How many events are taken before the loop has its turn. */
const EVENTS_PER_TURN = 100;

/**
 * How long they are taken, in ms: a mouse that is moved has its next event within 10 ms for as long as that lasts, and
 * the loop hears of all else, timers and xenstored too, only in its turn. The clock is a system call on some hosts: it
 * is looked at after every fourth event.
 */
const TURN_MS = 10;
const EVENTS_PER_LOOK = 4;

/** poll(2), with its `struct pollfd` of 8 bytes. */
const ENTRY_BYTES = 8;
const POLLIN = 1;
const POLLOUT = 4;

interface Wait {
  readonly fd: number;
  /** Of poll(2). */
  readonly events: number;
  readonly onEvent: () => void;
  readonly handle: { close(): void };
}

/** The descriptors that this process waits for. Only event channels and usbfs: other kinds of files do not fail gently. */
export class Waits {
  readonly #library: Library;
  readonly #poll: (address: number, count: number, timeoutMs: number) => number;
  readonly #entries: Block;
  readonly #view: DataView;
  // What is collected as garbage hears nothing any more.
  #waits: readonly Wait[] = [];
  #isTurnDue = false;

  /** @param entries memory for as many descriptors as are waited for, 8 bytes each */
  constructor(library: Library, entries: Block) {
    this.#library = library;
    this.#poll = library.func('int poll(uintptr_t, unsigned long, int)');
    this.#entries = entries;
    this.#view = viewOf(entries);
  }

  /**
   * Calls `onEvent` whenever a descriptor has what is waited for.
   *
   * @param onLost the descriptor can no longer be waited for: its device is gone
   * @returns ends it
   * @throws {LinuxError} `unsupported`: it is of another kind
   */
  add(fd: number, waited: Waited, onEvent: () => void, onLost: () => void): () => void {
    if (!fstatSync(fd).isCharacterDevice()) {
      throw new LinuxError('unsupported', 'only character devices are waited for');
    }
    if ((this.#waits.length + 1) * ENTRY_BYTES > this.#entries.bytes.length) {
      throw new LinuxError('unsupported', `no more than ${this.#waits.length} descriptors are waited for`);
    }
    const { readable = false, writable = false } = waited;
    // The package's types say that it is called with the events alone.
    const called = (...[status]: unknown[]): void => {
      try {
        if (typeof status === 'number' && status < 0) onLost();
        else {
          onEvent();
          this.#takeTurn();
        }
      } catch (error) {
        // The package would keep it to itself, and tell of no event any more.
        setImmediate(() => {
          throw error;
        });
      }
    };
    const handle = this.#library.poll(fd, { readable, writable, disconnect: false }, called);
    const wait = { fd, events: (readable ? POLLIN : 0) | (writable ? POLLOUT : 0), onEvent, handle };
    this.#change([...this.#waits, wait]);
    return () => {
      if (!this.#waits.includes(wait)) return;
      this.#change(this.#waits.filter((one) => one !== wait));
      handle.close();
    };
  }

  /** Ends all, which otherwise keep the process alive. */
  end(): void {
    for (const { handle } of this.#waits) handle.close();
    this.#change([]);
  }

  /** Once the loop has told all that it has seen, and what was promised has been kept. */
  #takeTurn(): void {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#isTurnDue = false;
    const endMs = performance.now() + TURN_MS;
    for (let taken = 1; taken <= EVENTS_PER_TURN; taken++) {
      if (loop.isNeeded || !this.#next()) return;
      if (taken % EVENTS_PER_LOOK === 0 && performance.now() > endMs) break;
    }
    this.#takeTurn();
  }

  /** Waits for the next event, and tells it. False if there is none for now, or it is for the loop to tell. */
  #next(): boolean {
    const waits = this.#waits;
    if (waits.length === 0) return false;
    if (this.#poll(this.#entries.address, waits.length, NEXT_WITHIN_MS) <= 0) return false;
    let isTold = false;
    for (let at = 0; at < waits.length; at++) {
      const { events, onEvent } = waits[at]!;
      // What is more than that, such as a device that is gone, the loop knows better.
      if (this.#view.getInt16(at * ENTRY_BYTES + 6, true) !== events) continue;
      isTold = true;
      onEvent();
      // Others are waited for now: what the rest has is still there the next time.
      if (this.#waits !== waits) break;
    }
    return isTold;
  }

  #change(waits: readonly Wait[]): void {
    this.#waits = waits;
    waits.forEach(({ fd, events }, at) => {
      this.#view.setInt32(at * ENTRY_BYTES, fd, true);
      this.#view.setInt16(at * ENTRY_BYTES + 4, events, true);
    });
  }
}
