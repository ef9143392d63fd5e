/** What carries the bytes of a xenstore connection. Implemented by a socket, the xenbus device and the simulator. */

/** What a transport reports. */
export interface TransportEvents {
  /** The next bytes of the peer; the buffer may be reused after the call. */
  bytes(chunk: Buffer): void;
  /** The connection is over, with the cause when it did not end by {@link Transport.close}. Called once. */
  closed(cause?: Error): void;
}

/** A byte stream to a xenstored. */
export interface Transport {
  /** Begins to deliver. Called once, before the first {@link send}. */
  start(events: TransportEvents): void;
  /** Sends one or more whole messages. Never throws: trouble is reported by {@link TransportEvents.closed}. */
  send(messages: Buffer): void;
  /** Ends the connection. Idempotent. */
  close(): void;
  /** Whether an open connection keeps the process alive (as Node's `ref`/`unref`). */
  keepProcessAlive?(keep: boolean): void;
}
