/** The kernel's broadcast of events about devices: a netlink socket, which Node has no call for. */
import { constants } from 'node:os';
import { loadLibrary } from './library.js';

/** One reading of all that has come. */
interface Datagrams {
  readonly received: readonly Uint8Array[];
  /** The kernel had to drop some: nothing that was known is certain any more. */
  readonly isLossy: boolean;
}

/** The socket. */
interface UeventSocket {
  close(): void;
}

/** linux/netlink.h and asm-generic/socket.h. */
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_KOBJECT_UEVENT = 15;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;

/** The group in which the kernel itself speaks; udevd speaks in another one. */
const KERNEL_GROUP = 1;

/** `struct sockaddr_nl`: family, padding, port id, groups. */
const ADDRESS_BYTES = 12;
const PORT_ID_AT = 4;
const GROUPS_AT = 8;

/** Room for thousands of events, should the process be stopped for a while; the default is full after 256. */
const RECEIVE_BUFFER_BYTES = 16 << 20;

/** The kernel's events are at most 2 KiB and a header (lib/kobject_uevent.c: UEVENT_BUFFER_SIZE). */
const DATAGRAM_BYTES = 8192;

/**
 * Opens the socket; undefined where that is not possible: no library for this machine, or no such sockets here.
 * `isSender` accepts messages by their sender's port id; the kernel's is 0, and only its own are taken unless given.
 */
export async function openUevents(
  hear: (datagrams: Datagrams) => void,
  isSender: (portId: number) => boolean = (portId) => portId === 0,
): Promise<UeventSocket | undefined> {
  if (process.platform !== 'linux') return undefined;
  const library = await loadLibrary().catch(() => undefined);
  if (!library) return undefined;
  const { func, errno, poll } = library;
  const socket = func('int socket(int, int, int)');
  const bind = func('int bind(int, void *, uint32)');
  const setsockopt = func('int setsockopt(int, int, int, void *, uint32)');
  const recvfrom = func('int64 recvfrom(int, void *, uint64, int, void *, void *)');
  const close = func('int close(int)');
  const fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
  if (fd < 0) return undefined;
  const address = Buffer.alloc(ADDRESS_BYTES);
  address.writeUInt16LE(AF_NETLINK, 0);
  address.writeUInt32LE(KERNEL_GROUP, GROUPS_AT);
  if (bind(fd, address, ADDRESS_BYTES) !== 0) {
    close(fd);
    return undefined;
  }
  const size = Buffer.alloc(4);
  size.writeInt32LE(RECEIVE_BUFFER_BYTES, 0);
  // Without CAP_NET_ADMIN it keeps its small buffer; what is lost is noticed.
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, size, size.length);
  const bytes = Buffer.alloc(DATAGRAM_BYTES);
  const sender = Buffer.alloc(ADDRESS_BYTES);
  const senderBytes = Buffer.alloc(4);
  const drain = (): Datagrams => {
    const received: Uint8Array[] = [];
    let isLossy = false;
    for (;;) {
      senderBytes.writeUInt32LE(ADDRESS_BYTES, 0);
      const length = Number(recvfrom(fd, bytes, bytes.length, 0, sender, senderBytes));
      if (length >= 0) {
        if (isSender(sender.readUInt32LE(PORT_ID_AT)))
          received.push(Uint8Array.from(bytes.subarray(0, length)));
        continue;
      }
      const failed = errno();
      if (failed === constants.errno.EINTR) continue;
      if (failed === constants.errno.EAGAIN) return { received, isLossy };
      // ENOBUFS comes once, instead of what was dropped; of anything else the same is assumed.
      isLossy = true;
      if (failed !== constants.errno.ENOBUFS) return { received, isLossy };
    }
  };
  // Kept by the closure of `close`: a handle that is collected reports nothing more.
  const handle = poll(fd, { readable: true }, () => hear(drain()));
  let isOpen = true;
  return {
    close() {
      if (!isOpen) return;
      isOpen = false;
      handle.close();
      close(fd);
    },
  };
}
