/** What carries the bytes of a xenstore connection. Implemented by a socket, the xenbus device and the simulator. */

/** What a transport reports. */
export interface TransportEvents {
  /** The next bytes from the peer; the buffer may be reused after the call. */
  bytes(chunk: Buffer): void;
  /** The connection has ended, with the cause when it did not end through {@link Transport.close}. Called once. */
  closed(cause?: Error): void;
}

/** A byte stream to a xenstored. */
export interface Transport {
  /** Starts delivering. Called once, before the first {@link send}. */
  start(events: TransportEvents): void;
  /** Sends one or more whole messages. Never throws: problems are reported by {@link TransportEvents.closed}. */
  send(messages: Buffer): void;
  /** Ends the connection. Idempotent. */
  close(): void;
  /** Whether an open connection keeps the process alive (like Node's `ref`/`unref`). */
  keepProcessAlive?(keep: boolean): void;
}
