/** Pages of guests, by Xen's `/dev/xen/gntdev` (`xen/gntdev.h`). */
import type { Block, GuestMemory } from '../backend/boundary.js';
import type { CopyList } from '../backend/copy-list.js';
import { PAGE_SIZE } from '../usbif/index.js';
import { type Libc, O_RDWR } from './libc.js';
import { addressAt, setAddress, viewOf } from './structures.js';
import { XenDevice } from './xen-device.js';

const MAP_GRANT_REF = 0x0018_4700;
const UNMAP_GRANT_REF = 0x0010_4701;
const GRANT_COPY = 0x0010_4708;

/** Not for ever: the signals of a timer can come that often. */
const MAP_ATTEMPTS = 100;

/** `struct gntdev_grant_copy_segment`, and how many go into one call. */
const SEGMENT_BYTES = 24;
const SEGMENTS_MAX = 512;
const SOURCE_IS_GUEST = 1;
const TARGET_IS_GUEST = 2;

/** The grants of dom0. One for all guests. */
export class GrantDevice {
  readonly #libc: Libc;
  readonly #device: XenDevice;
  readonly #segments: Block;
  readonly #segmentsView: DataView;

  /** @throws {LinuxError} there is no such device, or it may not be opened */
  constructor(libc: Libc) {
    this.#libc = libc;
    this.#device = new XenDevice(libc, 'gntdev', O_RDWR);
    this.#segments = libc.allocate(Math.ceil((SEGMENTS_MAX * SEGMENT_BYTES) / PAGE_SIZE) * PAGE_SIZE);
    this.#segmentsView = viewOf(this.#segments);
  }

  /**
   * Maps the two ring pages of a guest.
   *
   * @throws {LinuxError} the guest has not granted them
   */
  open(domid: number, urbRef: number, connectionRef: number): GuestMemory {
    const { rings, index } = this.#mapRings(domid, [urbRef, connectionRef]);
    return {
      urbRing: rings.bytes.subarray(0, PAGE_SIZE),
      connectionRing: rings.bytes.subarray(PAGE_SIZE),
      copy: (list) => this.#copy(domid, list),
      close: () => {
        this.#libc.unmap(rings);
        this.#unmap(index);
      },
    };
  }

  /** What fails is given up whole: after a signal came, the same mapping cannot be made any more. */
  #mapRings(domid: number, refs: readonly [number, number]): { rings: Block; index: number } {
    for (let attempt = 1; ; attempt++) {
      const view = this.#device.argument;
      view.setUint32(0, refs.length, true);
      refs.forEach((ref, at) => {
        view.setUint32(16 + 8 * at, domid, true);
        view.setUint32(20 + 8 * at, ref, true);
      });
      this.#device.mustCall(MAP_GRANT_REF, `mapping the rings of domain ${domid}`);
      const index = addressAt(view, 8);
      try {
        return { rings: this.#libc.map(this.#device.fd, refs.length * PAGE_SIZE, index), index };
      } catch (error) {
        this.#unmap(index);
        // A page that its guest has swapped out comes back.
        const { code } = error as { code?: unknown };
        if ((code !== 'EAGAIN' && code !== 'EINTR') || attempt === MAP_ATTEMPTS) throw error;
      }
    }
  }

  #unmap(index: number): void {
    const view = this.#device.argument;
    setAddress(view, 0, index);
    view.setUint32(8, 2, true);
    this.#device.call(UNMAP_GRANT_REF);
  }

  #copy(domid: number, list: CopyList): void {
    for (let first = 0; first < list.count; first += SEGMENTS_MAX) {
      this.#copySome(domid, list, first, Math.min(list.count, first + SEGMENTS_MAX));
    }
  }

  #copySome(domid: number, list: CopyList, first: number, end: number): void {
    const view = this.#segmentsView;
    for (let at = first; at < end; at++) {
      const base = (at - first) * SEGMENT_BYTES;
      const toGuest = list.toGuest[at]!;
      const [guest, local] = toGuest ? [base + 8, base] : [base, base + 8];
      setAddress(view, local, list.blocks[at]!.address + list.places[at]!);
      view.setUint32(guest, list.refs[at]!, true);
      view.setUint16(guest + 4, list.offsets[at]!, true);
      view.setUint16(guest + 6, domid, true);
      view.setUint16(base + 16, list.lengths[at]!, true);
      view.setUint16(base + 18, toGuest ? TARGET_IS_GUEST : SOURCE_IS_GUEST, true);
      view.setInt16(base + 20, 0, true);
    }
    const { argument } = this.#device;
    argument.setUint32(0, end - first, true);
    setAddress(argument, 8, this.#segments.address);
    const errno = this.#device.call(GRANT_COPY);
    for (let at = first; at < end; at++) {
      list.statuses[at] = errno < 0 ? errno : view.getInt16((at - first) * SEGMENT_BYTES + 20, true);
    }
  }
}
