/** What a virtual stick keeps its bytes in. */

/** Bytes that can be read and written; a promise where that takes time. */
export interface Storage {
  /** Bytes in all. */
  readonly size: number;
  readonly isReadOnly: boolean;
  read(at: number, length: number): Uint8Array | Promise<Uint8Array>;
  /** The bytes are valid only during the call. */
  write(at: number, bytes: Uint8Array): void | Promise<void>;
  /** What was written is safe from here on. */
  flush(): void | Promise<void>;
  /** Nothing is read or written any more. */
  close?(): Promise<void>;
}

/** Storage in memory. */
export function memoryStorage(bytes: Uint8Array, isReadOnly = false): Storage {
  return {
    size: bytes.length,
    isReadOnly,
    read: (at, length) => bytes.subarray(at, at + length),
    write: (at, written) => bytes.set(written, at),
    flush: () => undefined,
  };
}
