/** The C library's calls that Node lacks. Loaded only by whoever serves guests. */
import { loop } from '../async/index.js';
import type { Block, LocalMemory } from '../backend/boundary.js';
import { linuxError } from './errors.js';
import { loadLibrary } from './library.js';
import { type Waited, Waits } from './waits.js';

/** The calls. Numbers are results, or negative errnos. Addresses are plain numbers: they have 47 bits. */
export interface Libc extends LocalMemory {
  /** @throws {LinuxError} */
  open(path: string, flags: number): number;
  close(fd: number): void;
  ioctl(fd: number, request: number, argument: number): number;
  /** The same in another thread, for calls that take long. */
  ioctlLater(fd: number, request: number, argument: number): Promise<number>;
  read(fd: number, address: number, bytes: number): number;
  write(fd: number, address: number, bytes: number): number;
  /** Maps a file. @throws {LinuxError} */
  map(fd: number, bytes: number, offset: number): Block;
  unmap(block: Block): void;
  /**
   * Calls `onEvent` whenever a descriptor has what is waited for, in this thread; see {@link Waits}.
   *
   * @param onLost the descriptor can no longer be waited for: its device is gone
   * @returns ends it
   */
  wait(fd: number, waited: Waited, onEvent: () => void, onLost: () => void): () => void;
  /** Ends all waits, which otherwise keep the process alive. */
  endWaits(): void;
}

/** open(2): for reading and writing. The numbers are the same on all Linux systems that Xen runs on. */
export const O_RDWR = 2;
/** open(2): calls do not wait. */
export const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_PRIVATE_ANONYMOUS = 0x22;

/** For waiting: 2,048 descriptors. */
const WAITS_BYTES = 16_384;

/**
 * Loads the calls.
 *
 * @throws {LinuxError} `unsupported`: the package has no binary for this machine
 */
export async function loadLibc(): Promise<Libc> {
  const library = await loadLibrary();
  const { func, errno, view } = library;
  const ioctl = func('int ioctl(int, unsigned long, uintptr_t)');
  const open = func('int open(const char *, int, int)');
  const close = func('int close(int)');
  const read = func('intptr_t read(int, uintptr_t, size_t)');
  const write = func('intptr_t write(int, uintptr_t, size_t)');
  const mmap = func('uintptr_t mmap(uintptr_t, size_t, int, int, int, int64_t)');
  const munmap = func('int munmap(uintptr_t, size_t)');
  const result = (value: number): number => (value < 0 ? -errno() : value);

  const mapped = (fd: number, bytes: number, offset: number, flags: number): Block => {
    const address = Number(mmap(0, bytes, PROT_READ_WRITE, flags, fd, offset));
    // MAP_FAILED is -1 as an unsigned number.
    if (address > Number.MAX_SAFE_INTEGER) throw linuxError(-errno(), `mmap of ${bytes} bytes`);
    return { address, bytes: new Uint8Array(view(BigInt(address), bytes)) };
  };

  const allocate = (bytes: number): Block => mapped(-1, bytes, 0, MAP_PRIVATE_ANONYMOUS);
  const waits = new Waits(library, allocate(WAITS_BYTES));

  return {
    open(path, flags) {
      const fd = open(path, flags | O_CLOEXEC, 0);
      if (fd < 0) throw linuxError(-errno(), `open ${path}`);
      return fd;
    },
    close: (fd) => void close(fd),
    ioctl: (fd, request, argument) => result(ioctl(fd, request, argument)),
    ioctlLater: (fd, request, argument) =>
      loop.through(
        new Promise((resolve, reject) => {
          ioctl.async(fd, request, argument, (error: unknown, value: number) => {
            if (error) reject(error);
            else resolve(result(value));
          });
        }),
      ),
    read: (fd, address, bytes) => result(Number(read(fd, address, bytes))),
    write: (fd, address, bytes) => result(Number(write(fd, address, bytes))),
    allocate,
    map: (fd, bytes, offset) => mapped(fd, bytes, offset, MAP_SHARED),
    unmap: ({ address, bytes }) => void munmap(address, bytes.byteLength),
    wait: (fd, waited, onEvent, onLost) => waits.add(fd, waited, onEvent, onLost),
    endWaits: () => waits.end(),
  };
}
