/** Archives that Linux unpacks as its first file system (Documentation/driver-api/early-userspace/buffer-format.rst). */
import { gzipSync } from 'node:zlib';

/** A file, a folder or a link in an archive; folders come before what is in them. */
export interface CpioEntry {
  /** Without a leading slash: `bin/busybox`. */
  readonly path: string;
  /** File type and permissions: `0o100755`. */
  readonly mode: number;
  readonly data?: Buffer | undefined;
}

/** The type bits of a mode. */
export const MODE = { file: 0o100644, program: 0o100755, folder: 0o040755 } as const;

/** Packs an archive, compressed only lightly, since an emulated machine unpacks it. */
export function packCpio(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.flatMap((entry, at) => packEntry(entry, at + 1));
  return gzipSync(Buffer.concat([...parts, ...packEntry({ path: 'TRAILER!!!', mode: 0 }, 0)]), { level: 1 });
}

function packEntry({ path, mode, data = Buffer.alloc(0) }: CpioEntry, inode: number): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  // inode, mode, uid, gid, links, time, size, four numbers of devices, length of the name, checksum
  const numbers = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(
    `070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`,
  );
  return [header, name, padding(header.length + name.length), data, padding(data.length)];
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
