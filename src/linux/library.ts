/** koffi: how all calls that Node does not have reach this process' C library. */
import type { KoffiFunc } from 'koffi';
import { LinuxError } from './errors.js';

/** A function of C. A result of 64 bits that is not a safe integer is a bigint: `Number` takes both. */
type CFunction = KoffiFunc<(...values: (number | string | Uint8Array | number[])[]) => number>;

/** The C library, and what koffi has for working with it. */
export interface Library {
  /** Declares a function as C does. */
  readonly func: (declaration: string) => CFunction;
  /** What the last call has failed with. */
  readonly errno: () => number;
  /** Memory at an address, as an ArrayBuffer. */
  readonly view: typeof import('koffi').view;
  /** Waits for descriptors in the event loop. A handle that is collected reports nothing more. */
  readonly poll: typeof import('koffi').node.poll;
}

/**
 * Loads it. It takes a while: only what makes such calls pays for it.
 *
 * @throws {LinuxError} `unsupported`: the package has no binary for this machine
 */
export async function loadLibrary(): Promise<Library> {
  try {
    const koffi = await import('koffi');
    // The functions of this process, and not those of a file: what is loaded before them (LD_PRELOAD) counts.
    const library = koffi.load(null);
    return {
      func: (declaration) => library.func(declaration),
      errno: koffi.errno,
      view: koffi.view,
      poll: koffi.node.poll,
    };
  } catch (cause) {
    throw new LinuxError('unsupported', 'system calls cannot be made on this machine', { cause });
  }
}
