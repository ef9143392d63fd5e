/** A simulated QEMU's QMP on a Unix socket, for programs that talk to a QEMU. */
import { renameSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { Transport } from '../../xenstore/transport.js';
import type { Published } from './sysfs.js';

/** The part of a QEMU that a socket needs. */
export interface QmpConnectable {
  connectQmp(): Transport;
  onEnd(listener: () => void): () => void;
}

/**
 * Serves `qemu` at `socketPath`, one client at a time. When the process ends its connections end, and the socket's file
 * stays with nothing behind it, like a killed QEMU's. Rejects when the socket cannot be made.
 */
export async function publishQmp(qemu: QmpConnectable, socketPath: string): Promise<Published> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    serve(qemu.connectQmp(), socket);
  });
  // When it stops, Node removes the file that it listened on, by its original name.
  const first = `${socketPath}~`;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(first, resolve);
  });
  renameSync(first, socketPath);
  const forget = qemu.onEnd(() => void server.close());
  return {
    async close() {
      forget();
      for (const socket of open) socket.destroy();
      if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(socketPath, { force: true });
    },
  };
}

function serve(transport: Transport, socket: Socket): void {
  transport.start({
    bytes: (chunk) => void socket.write(chunk),
    closed: () => socket.end(),
  });
  socket.on('data', (chunk) => transport.send(chunk));
  socket.on('error', () => socket.destroy());
  socket.on('close', () => transport.close());
}
