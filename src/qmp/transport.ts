/** What carries the bytes of a QMP connection. Implemented by a socket, and by tests. */

/** What a transport reports. */
export interface QmpTransportEvents {
  /** The next bytes from QEMU; the buffer may be reused after the call. */
  bytes(chunk: Buffer): void;
  /** The connection has ended, with the cause when there is one. Called once. */
  closed(cause?: Error): void;
}

/** A byte stream to a QEMU monitor. */
export interface QmpTransport {
  /** Starts delivering. Called once, before the first {@link send}. */
  start(events: QmpTransportEvents): void;
  /** Sends whole messages. Never throws: problems are reported by {@link QmpTransportEvents.closed}. */
  send(messages: Buffer): void;
  /** Ends the connection. Idempotent. */
  close(): void;
}
