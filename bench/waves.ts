/** Counts the sequential round trips of a client, whatever the speed of the machine. */

import { WINDOW } from '../src/xenstore/connection.js';
import type { Transport, TransportEvents } from '../src/xenstore/index.js';
import { Decoder } from '../src/xenstore/wire.js';

/** Longer than anything but an answer takes to trigger the next request. */
const WAVE_MS = 10;

/**
 * Holds all requests for a moment, then lets them through together: a wave. Requests triggered by an answer go in a
 * later wave, so the number of waves is the number of answers that had to be waited for.
 *
 * A client whose window was full sends the rest of the same wave as answers arrive: that is not waiting.
 */
export class WaveCounter implements Transport {
  waves = 0;
  requests = 0;
  readonly #inner: Transport;
  readonly #decoder = new Decoder();
  #held: Buffer[] = [];
  #inFlight = 0;
  #windowWasFull = false;

  constructor(inner: Transport) {
    this.#inner = inner;
  }

  start(events: TransportEvents): void {
    const replies = new Decoder();
    this.#inner.start({
      bytes: (chunk) => {
        replies.push(chunk, (_type, requestId) => {
          if (requestId !== 0) this.#inFlight--;
        });
        events.bytes(chunk);
      },
      closed: (cause) => events.closed(cause),
    });
  }

  send(messages: Buffer): void {
    let count = 0;
    this.#decoder.push(messages, () => {
      count++;
    });
    this.requests += count;
    this.#inFlight += count;
    const continues = this.#windowWasFull;
    this.#windowWasFull = this.#inFlight >= WINDOW;
    if (continues) {
      this.#inner.send(messages);
      return;
    }
    if (this.#held.length === 0) setTimeout(() => this.#release(), WAVE_MS);
    this.#held.push(messages);
  }

  close(): void {
    this.#inner.close();
  }

  #release(): void {
    this.waves++;
    const messages = Buffer.concat(this.#held);
    this.#held = [];
    this.#inner.send(messages);
  }
}
