/** Who is at the other end of a Unix socket: what the kernel says, not what they say. */
import type { Socket } from 'node:net';
import { endianness } from 'node:os';
import { loadLibrary } from './library.js';

/** A process as it was when it connected. */
export interface Peer {
  /** May be another process by now: numbers are used again. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Its supplementary groups. */
  readonly groups: readonly number[];
}

/** Says who is at the other end of a connected Unix socket. @throws {Error} when the kernel does not say */
export type PeerOf = (socket: Socket) => Peer;

/** `asm-generic/socket.h`; the same numbers on x86, Arm and RISC-V. */
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERGROUPS = 59;

/** The kernel's limit of groups (`NGROUPS_MAX`), each of four bytes. */
const GROUPS_BYTES = 4 * 65_536;
/** Enough for nearly everybody, so that not every connection needs that much. */
const USUAL_BYTES = 4 * 64;

/**
 * Loads the library that calls getsockopt(2). Only what serves a Unix socket pays for it.
 *
 * @throws {LinuxError} `unsupported`: the package has no binary for this machine
 */
export async function loadPeerOf(): Promise<PeerOf> {
  const { func } = await loadLibrary();
  const getsockopt = func(
    'int getsockopt(int fd, int level, int name, void *value, _Inout_ uint32_t *length)',
  );
  const read = (fd: number, name: number, bytes: number): Buffer | undefined => {
    const value = Buffer.alloc(bytes);
    const length = [bytes];
    if (getsockopt(fd, SOL_SOCKET, name, value, length) === 0) return value.subarray(0, length[0]);
    return undefined;
  };
  return (socket) => {
    const fd = fdOf(socket);
    const credentials = read(fd, SO_PEERCRED, 12);
    if (credentials?.length !== 12) throw new Error('The kernel does not say who has connected.');
    const [pid, uid, gid] = numbersIn(credentials) as [number, number, number];
    // A peer without a process, or of another kind of socket, has -1.
    if (uid === 0xffff_ffff) throw new Error('The kernel does not know who has connected.');
    const groups = read(fd, SO_PEERGROUPS, USUAL_BYTES) ?? read(fd, SO_PEERGROUPS, GROUPS_BYTES);
    return { pid, uid, gid, groups: groups ? numbersIn(groups) : [] };
  };
}

function numbersIn(bytes: Buffer): number[] {
  const isLittle = endianness() === 'LE';
  return Array.from({ length: bytes.length / 4 }, (_, at) =>
    isLittle ? bytes.readUInt32LE(4 * at) : bytes.readUInt32BE(4 * at),
  );
}

/** Node has no public name for the descriptor of a socket, but has had this one for all its life. */
function fdOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } | null };
  const fd = handle?.fd;
  if (fd === undefined || fd < 0) throw new Error('The socket is closed.');
  return fd;
}
