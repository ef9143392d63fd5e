/** What carries the bytes of a QMP connection. Implemented by a socket, and by tests. */

/** What a transport reports. */
export interface QmpTransportEvents {
  /** The next bytes of QEMU; the buffer may be reused after the call. */
  bytes(chunk: Buffer): void;
  /** The connection is over, with the cause when there is one. Called once. */
  closed(cause?: Error): void;
}

/** A byte stream to a QEMU monitor. */
export interface QmpTransport {
  /** Begins to deliver. Called once, before the first {@link send}. */
  start(events: QmpTransportEvents): void;
  /** Sends whole messages. Never throws: trouble is reported by {@link QmpTransportEvents.closed}. */
  send(messages: Buffer): void;
  /** Ends the connection. Idempotent. */
  close(): void;
}
