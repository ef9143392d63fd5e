/** One of Xen's devices in `/dev/xen`: a descriptor, and the memory that its calls are about. */
import { PAGE_SIZE } from '../usbif/index.js';
import { linuxError } from './errors.js';
import type { Libc } from './libc.js';
import { viewOf } from './structures.js';

/** An open device. */
export class XenDevice {
  readonly fd: number;
  /** What a call takes and gives, with zeros at first; each call has its own use of it. */
  readonly argument: DataView;
  readonly #libc: Libc;
  readonly #address: number;

  /** @throws {LinuxError} there is no such device, or it may not be opened */
  constructor(libc: Libc, name: string, flags: number) {
    this.#libc = libc;
    this.fd = libc.open(`/dev/xen/${name}`, flags);
    const block = libc.allocate(PAGE_SIZE);
    this.#address = block.address;
    this.argument = viewOf(block);
  }

  /** Makes a call. Its result, or a negative errno. */
  call(request: number): number {
    return this.#libc.ioctl(this.fd, request, this.#address);
  }

  /**
   * Makes a call that has to succeed: `what` it is for.
   *
   * @throws {LinuxError}
   */
  mustCall(request: number, what: string): number {
    const result = this.call(request);
    if (result < 0) throw linuxError(result, what);
    return result;
  }
}
