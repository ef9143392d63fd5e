/** A transport over the kernel's device /dev/xen/xenbus, for hosts without xenstored's socket. */
import { type FileHandle, open } from 'node:fs/promises';
import { XenstoreError } from './errors.js';
import type { Transport, TransportEvents } from './transport.js';
import { HEADER_BYTES, MessageType, writeHeader } from './wire.js';

/**
 * Opens the device at `path`.
 *
 * @throws {XenstoreError} `unreachable`, with the system's error as cause
 */
export async function openDevice(path: string): Promise<Transport> {
  try {
    return new DeviceTransport(await open(path, 'r+'));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new XenstoreError(
      'unreachable',
      'connect',
      undefined,
      `cannot open ${path} (${code ?? message})`,
      error,
    );
  }
}

class DeviceTransport implements Transport {
  readonly #file: FileHandle;
  #events: TransportEvents | undefined;
  #writes: Promise<unknown> = Promise.resolve();
  #closing = false;
  #over = false;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  start(events: TransportEvents): void {
    this.#events = events;
    void this.#readOn();
  }

  send(messages: Buffer): void {
    // The kernel takes one message per write and drops what follows it (xenbus_dev_frontend.c).
    for (let at = 0; at < messages.length; ) {
      const end = at + HEADER_BYTES + messages.readUInt32LE(at + 12);
      const message = messages.subarray(at, end);
      this.#writes = this.#writes.then(() => this.#file.write(message)).catch((error) => this.#end(error));
      at = end;
    }
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    // A read of this device blocks a thread until something comes, which would hold up the process's exit: ask for
    // something harmless, so that something does.
    const farewell = Buffer.alloc(HEADER_BYTES + 2);
    const header = { type: MessageType.getDomainPath, requestId: 0xffffffff, transactionId: 0 };
    writeHeader(farewell, 0, header, 2);
    farewell.write('0\0', HEADER_BYTES, 'latin1');
    this.send(farewell);
  }

  async #readOn(): Promise<void> {
    const buffer = Buffer.allocUnsafe(64 * 1024);
    try {
      while (!this.#closing) {
        const { bytesRead } = await this.#file.read(buffer, 0, buffer.length);
        if (bytesRead === 0) throw new Error('end of file');
        if (!this.#closing) this.#events?.bytes(buffer.subarray(0, bytesRead));
      }
      await this.#end(undefined);
    } catch (error) {
      await this.#end(error as Error);
    }
  }

  async #end(cause: Error | undefined): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    this.#closing = true;
    // Reported first: after a failed write, closing waits for a read that may never end.
    this.#events?.closed(cause);
    await this.#writes.catch(() => undefined);
    await this.#file.close().catch(() => undefined);
  }
}
