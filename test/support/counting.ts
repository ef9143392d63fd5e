/** Counts what a client asks the store. */
import type { Transport, TransportEvents } from '../../src/xenstore/index.js';
import { Decoder } from '../../src/xenstore/wire.js';

/** A transport that counts requests. */
export class CountingTransport implements Transport {
  requests = 0;
  readonly #inner: Transport;
  readonly #decoder = new Decoder();

  constructor(inner: Transport) {
    this.#inner = inner;
  }

  start(events: TransportEvents): void {
    this.#inner.start(events);
  }

  send(messages: Buffer): void {
    this.#decoder.push(messages, () => {
      this.requests++;
    });
    this.#inner.send(messages);
  }

  close(): void {
    this.#inner.close();
  }
}
