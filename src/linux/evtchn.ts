/** Event channels to guests, by Xen's `/dev/xen/evtchn` (`xen/evtchn.h`). */
import type { Block, EventChannel } from '../backend/boundary.js';
import { PAGE_SIZE } from '../usbif/index.js';
import { type Libc, O_NONBLOCK, O_RDWR } from './libc.js';
import { viewOf } from './structures.js';
import { XenDevice } from './xen-device.js';

const BIND_INTERDOMAIN = 0x0008_4501;
const UNBIND = 0x0004_4503;
const NOTIFY = 0x0004_4504;

/** The event channels of this process: one descriptor, whatever the number of guests. */
export class EventChannels {
  readonly #libc: Libc;
  readonly #device: XenDevice;
  readonly #pending: Block;
  readonly #pendingView: DataView;
  readonly #listeners = new Map<number, () => void>();
  readonly #end: () => void;

  /**
   * @param onLost the device cannot be waited for any more
   * @throws {LinuxError} there is no such device, or it may not be opened
   */
  constructor(libc: Libc, onLost: () => void) {
    this.#libc = libc;
    this.#device = new XenDevice(libc, 'evtchn', O_RDWR | O_NONBLOCK);
    this.#pending = libc.allocate(PAGE_SIZE);
    this.#pendingView = viewOf(this.#pending);
    this.#end = libc.wait(this.#device.fd, { readable: true }, () => this.#onReadable(), onLost);
  }

  /**
   * Binds the channel that a guest has opened for its backend.
   *
   * @throws {LinuxError} it has not, or another backend has it
   */
  bind(domid: number, remotePort: number): EventChannel {
    const { argument } = this.#device;
    argument.setUint32(0, domid, true);
    argument.setUint32(4, remotePort, true);
    const what = `binding event channel ${remotePort} of domain ${domid}`;
    const port = this.#device.mustCall(BIND_INTERDOMAIN, what);
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
    this.#device.argument.setUint32(0, port, true);
    this.#device.call(request);
  }

  #onReadable(): void {
    const { fd } = this.#device;
    const { address, bytes } = this.#pending;
    const read = this.#libc.read(fd, address, bytes.byteLength);
    if (read <= 0) return;
    // Unmasked before the rings are looked at: what comes meanwhile is another event.
    this.#libc.write(fd, address, read);
    // Nobody reads more into it meanwhile.
    for (let at = 0; at < read; at += 4) this.#listeners.get(this.#pendingView.getUint32(at, true))?.();
  }

  /** Closes all of them. */
  close(): void {
    this.#end();
    this.#libc.close(this.#device.fd);
  }
}
