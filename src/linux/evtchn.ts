/** Event channels to guests, by Xen's `/dev/xen/evtchn` (`xen/evtchn.h`). */
import type { Block, EventChannel } from '../backend/boundary.js';
import { PAGE_SIZE } from '../usbif/index.js';
import { linuxError } from './errors.js';
import { type Libc, O_NONBLOCK, O_RDWR } from './libc.js';

const BIND_INTERDOMAIN = 0x0008_4501;
const UNBIND = 0x0004_4503;
const NOTIFY = 0x0004_4504;

const PATH = '/dev/xen/evtchn';

/** The event channels of this process: one descriptor, whatever the number of guests. */
export class EventChannels {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #argument: Block;
  readonly #pending: Block;
  readonly #listeners = new Map<number, () => void>();
  readonly #end: () => void;

  /**
   * @param onLost the device cannot be waited for any more
   * @throws {LinuxError} there is no such device, or it may not be opened
   */
  constructor(libc: Libc, onLost: () => void) {
    this.#libc = libc;
    this.#fd = libc.open(PATH, O_RDWR | O_NONBLOCK);
    this.#argument = libc.allocate(PAGE_SIZE);
    this.#pending = libc.allocate(PAGE_SIZE);
    this.#end = libc.wait(this.#fd, { readable: true }, () => this.#onReadable(), onLost);
  }

  /**
   * Binds the channel that a guest has opened for its backend.
   *
   * @throws {LinuxError} it has not, or another backend has it
   */
  bind(domid: number, remotePort: number): EventChannel {
    const words = wordsOf(this.#argument);
    words[0] = domid;
    words[1] = remotePort;
    const port = this.#libc.ioctl(this.#fd, BIND_INTERDOMAIN, this.#argument.address);
    if (port < 0) throw linuxError(port, `binding event channel ${remotePort} of domain ${domid}`);
    return {
      notify: () => this.#call(NOTIFY, port),
      start: (onEvent) => {
        this.#listeners.set(port, onEvent);
        // What came before there was a listener.
        onEvent();
      },
      close: () => {
        this.#listeners.delete(port);
        this.#call(UNBIND, port);
      },
    };
  }

  #call(request: number, port: number): void {
    wordsOf(this.#argument)[0] = port;
    this.#libc.ioctl(this.#fd, request, this.#argument.address);
  }

  #onReadable(): void {
    const { address, bytes } = this.#pending;
    const read = this.#libc.read(this.#fd, address, bytes.byteLength);
    if (read <= 0) return;
    const ports = [...wordsOf(this.#pending).subarray(0, read / 4)];
    // Unmasked before the rings are looked at: what comes meanwhile is another event.
    this.#libc.write(this.#fd, address, read);
    for (const port of ports) this.#listeners.get(port)?.();
  }

  /** Closes all of them. */
  close(): void {
    this.#end();
    this.#libc.close(this.#fd);
  }
}

function wordsOf({ bytes }: Block): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}
