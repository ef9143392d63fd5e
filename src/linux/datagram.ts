/** Datagrams on Unix sockets, which Node has no call for: systemd and its journal are spoken to like that. */
import { constants, endianness } from 'node:os';
import { LinuxError, linuxError } from './errors.js';
import { loadLibrary } from './library.js';

/**
 * Sends one datagram to the socket at `path`, all of it or nothing, without waiting for anything. A name that begins
 * with `@` or NUL is in the abstract namespace.
 *
 * @throws {LinuxError} `ENOENT`, `ECONNREFUSED`: nobody listens; `EAGAIN`: the receiver is busy; `EMSGSIZE`: it is too
 *   long
 */
export type SendDatagram = (path: string, bytes: Uint8Array) => void;

// The same numbers on all systems that there is a binary for.
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/** `sockaddr_un` (`unix(7)`): the family, then at most 108 bytes of the name. */
const FAMILY_BYTES = 2;
const NAME_MAX = 108;

/**
 * Loads the library that sends datagrams.
 *
 * @throws {LinuxError} `unsupported`: the package has no binary for this machine
 */
export async function loadSendDatagram(): Promise<SendDatagram> {
  const { func, errno } = await loadLibrary();
  const socket = func('int socket(int, int, int)');
  const sendto = func('intptr_t sendto(int, const void *, size_t, int, const void *, uint32_t)');
  const close = func('int close(int)');
  return (path, bytes) => {
    const address = addressOf(path);
    const failed = (): LinuxError => linuxError(-errno(), `No datagram could be sent to ${path}`);
    const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) throw failed();
    try {
      for (;;) {
        const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
        if (sendto(fd, bytes, bytes.length, flags, address, address.length) >= 0) return;
        if (errno() !== constants.errno.EINTR) throw failed();
      }
    } finally {
      close(fd);
    }
  };
}

/** A name in the file system ends with NUL; one in the abstract namespace begins with it, and ends with the address. */
function addressOf(path: string): Buffer {
  const isAbstract = /^[@\0]/.test(path);
  const name = Buffer.from(isAbstract ? `\0${path.slice(1)}` : `${path}\0`);
  if (name.length > NAME_MAX) throw new LinuxError('ENAMETOOLONG', `${path} is too long for a socket`);
  const family = Buffer.alloc(FAMILY_BYTES);
  if (endianness() === 'LE') family.writeUInt16LE(AF_UNIX);
  else family.writeUInt16BE(AF_UNIX);
  return Buffer.concat([family, name]);
}
