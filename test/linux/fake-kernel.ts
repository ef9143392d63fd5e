/**
 * A kernel that has gntdev, evtchn and usbfs, as far as the calls of `src/linux` reach: a second reading of the same
 * headers. Its guest is a simulated one, its devices are virtual.
 */
import assert from 'node:assert/strict';
import type { Block, LentDevice } from '../../src/backend/boundary.js';
import { linuxError } from '../../src/linux/errors.js';
import type { Libc } from '../../src/linux/libc.js';
import type { EventPair, SimHcd } from '../../src/sim/frontend/index.js';
import { type OpenFile, usbfsFile } from './fake-usbfs.js';

const EAGAIN = -11;
const EINTR = -4;
const EINVAL = -22;

/** The kernel. */
export class FakeKernel implements Libc {
  readonly #hcd: SimHcd;
  readonly #refs: readonly [urb: number, connection: number];
  readonly #blocks: Block[] = [];
  readonly #files = new Map<number, OpenFile>();
  readonly #devices = new Map<string, () => LentDevice>();
  /** Calls made, by name. */
  readonly calls: string[] = [];
  #nextAddress = 0x7f00_0000_0000;
  #nextFd = 20;
  #mapped = 0;
  /** The grants that may be mapped, and whether they still can be. */
  readonly #grants = new Map<number, boolean>();
  #lastGrant = 0;
  /** How many of the next mappings a signal interrupts. */
  interruptions = 0;

  constructor(hcd: SimHcd, refs: readonly [urb: number, connection: number]) {
    this.#hcd = hcd;
    this.#refs = refs;
  }

  /** Adds a device; each time that its node is opened it is made anew. */
  addDevice(node: string, make: () => LentDevice): void {
    this.#devices.set(node, make);
  }

  /** Descriptors that are open, rings that are mapped, and grants that may be. */
  get held(): number {
    return this.#files.size + this.#mapped + this.#grants.size;
  }

  allocate(bytes: number): Block {
    return this.#place(new Uint8Array(bytes));
  }

  #place(bytes: Uint8Array): Block {
    const block = { bytes, address: this.#nextAddress };
    this.#nextAddress += bytes.length + 0x10000;
    this.#blocks.push(block);
    return block;
  }

  /** The memory at an address, up to the end of its block. */
  at(address: number, bytes: number): DataView {
    const block = this.#blocks.find(
      (one) => address >= one.address && address < one.address + one.bytes.length,
    );
    assert.ok(block && address + bytes <= block.address + block.bytes.length, 'EFAULT');
    return new DataView(block.bytes.buffer, block.bytes.byteOffset + address - block.address, bytes);
  }

  /** The block that an address is in. */
  blockOf(address: number): { block: Block; place: number } {
    const block = this.#blocks.find(
      (one) => address >= one.address && address < one.address + one.bytes.length,
    )!;
    return { block, place: address - block.address };
  }

  unmap(block: Block): void {
    const at = this.#blocks.indexOf(block);
    assert.ok(at >= 0, 'unmapped twice');
    this.#blocks.splice(at, 1);
    if (block.bytes === this.#hcd.rings) this.#mapped--;
  }

  open(path: string): number {
    const make = this.#devices.get(path);
    const file =
      path === '/dev/xen/gntdev'
        ? this.#gntdev()
        : path === '/dev/xen/evtchn'
          ? this.#evtchn()
          : make && usbfsFile(this, make());
    if (!file) throw Object.assign(new Error(`open ${path}: ENOENT`), { code: 'ENOENT' });
    const fd = this.#nextFd++;
    this.#files.set(fd, file);
    return fd;
  }

  #file(fd: number): OpenFile {
    const file = this.#files.get(fd);
    assert.ok(file, `descriptor ${fd} is open`);
    return file;
  }

  close(fd: number): void {
    this.#file(fd).close();
    this.#files.delete(fd);
  }

  ioctl(fd: number, request: number, argument: number): number {
    return this.#file(fd).ioctl(request, argument);
  }

  async ioctlLater(fd: number, request: number, argument: number): Promise<number> {
    await new Promise((resolve) => setImmediate(resolve));
    return (await this.#file(fd).later?.(request, argument)) ?? EINVAL;
  }

  read(fd: number, address: number, bytes: number): number {
    return this.#file(fd).read?.(address, bytes) ?? EINVAL;
  }

  write(fd: number, address: number, bytes: number): number {
    return this.#file(fd).write?.(address, bytes) ?? EINVAL;
  }

  /** As gntdev: a mapping that a signal has interrupted cannot be made any more. */
  map(_: number, bytes: number, offset: number): Block {
    assert.equal(bytes, 8192);
    const isWhole = this.#grants.get(offset);
    if (!isWhole) throw linuxError(EINVAL, 'mmap');
    if (this.interruptions > 0) {
      this.interruptions--;
      this.#grants.set(offset, false);
      throw linuxError(EINTR, 'mmap');
    }
    this.#mapped++;
    return this.#place(this.#hcd.rings);
  }

  wait(fd: number, _: object, onEvent: () => void, onLost: () => void): () => void {
    this.#file(fd).onWait?.(onEvent, onLost);
    return () =>
      this.#file(fd).onWait?.(
        () => undefined,
        () => undefined,
      );
  }

  endWaits(): void {
    assert.fail('only a process that ends does that');
  }

  #gntdev(): OpenFile {
    return {
      ioctl: (request, argument) => {
        if (request === 0x184700) {
          const view = this.at(argument, 32);
          const refs = [view.getUint32(20, true), view.getUint32(28, true)];
          if (view.getUint32(0, true) !== 2 || refs.some((ref, at) => ref !== this.#refs[at])) return EINVAL;
          const index = 4096 * ++this.#lastGrant;
          this.#grants.set(index, true);
          view.setBigUint64(8, BigInt(index), true);
          return 0;
        }
        if (request === 0x104701) {
          const view = this.at(argument, 16);
          const isKnown = this.#grants.delete(Number(view.getBigUint64(0, true)));
          return isKnown && view.getUint32(8, true) === 2 ? 0 : EINVAL;
        }
        assert.equal(request, 0x104708);
        this.#copy(argument);
        return 0;
      },
      close: () => undefined,
    };
  }

  #copy(argument: number): void {
    this.calls.push('copy');
    const head = this.at(argument, 16);
    const segments = this.at(Number(head.getBigUint64(8, true)), 24 * head.getUint32(0, true));
    for (let at = 0; at < segments.byteLength; at += 24) {
      const toGuest = segments.getUint16(at + 18, true) === 2;
      const [guest, local] = toGuest ? [at + 8, at] : [at, at + 8];
      const { block, place } = this.blockOf(Number(segments.getBigUint64(local, true)));
      assert.equal(segments.getUint16(guest + 6, true), 5, 'the domain');
      const list = {
        count: 1,
        refs: [segments.getUint32(guest, true)],
        offsets: [segments.getUint16(guest + 4, true)],
        lengths: [segments.getUint16(at + 16, true)],
        blocks: [block],
        places: [place],
        toGuest: [toGuest],
        statuses: [0],
      };
      this.#hcd.grants.copy(list);
      segments.setInt16(at + 20, list.statuses[0]!, true);
    }
  }

  #evtchn(): OpenFile {
    const { events } = this.#hcd as { events: EventPair };
    let end: ReturnType<EventPair['bind']> | undefined;
    let [isPending, isMasked] = [false, false];
    let wake: () => void = () => undefined;
    const raise = (): void => {
      if (isPending && !isMasked) wake();
    };
    return {
      ioctl: (request, argument) => {
        const first = this.at(argument, 8).getUint32(0, true);
        if (request === 0x84501) {
          if (end) return -16;
          assert.deepEqual([first, this.at(argument, 8).getUint32(4, true)], [5, 9]);
          end = events.bind();
          end.start(() => {
            isPending = true;
            raise();
          });
          return 3;
        }
        assert.equal(first, 3, 'the port');
        if (request === 0x44504) {
          this.calls.push('notify');
          end!.notify();
        } else if (request === 0x44503) {
          end!.close();
          end = undefined;
        } else return EINVAL;
        return 0;
      },
      read: (address) => {
        if (!isPending || isMasked) return EAGAIN;
        [isPending, isMasked] = [false, true];
        this.at(address, 4).setUint32(0, 3, true);
        return 4;
      },
      write: (address) => {
        assert.equal(this.at(address, 4).getUint32(0, true), 3);
        isMasked = false;
        setImmediate(raise);
        return 4;
      },
      onWait: (onEvent) => {
        wake = onEvent;
      },
      close: () => end?.close(),
    };
  }
}
