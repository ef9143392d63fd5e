/** The simulated store on a Unix socket, for programs that talk to a xenstored. */
import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { Transport } from '../../xenstore/transport.js';
import { Decoder, encodeMessage, PAYLOAD_MAX_BYTES } from '../../xenstore/wire.js';
import type { Published } from './sysfs.js';

/** The part of a store that a socket needs. */
export interface ConnectableStore {
  /** A new connection of a domain. */
  connect(domid: number): Transport;
}

/** Serves `store` at `socketPath`; each connection is domain 0's. Rejects when the socket cannot be made. */
export async function publishStore(store: ConnectableStore, socketPath: string): Promise<Published> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    serve(store.connect(0), socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  return {
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(socketPath, { force: true });
    },
  };
}

function serve(transport: Transport, socket: Socket): void {
  // A request longer than xenstored accepts ends the connection, as it does there.
  const decoder = new Decoder(PAYLOAD_MAX_BYTES);
  transport.start({
    // The store will reuse the buffer, and write() keeps what it is given.
    bytes: (chunk) => void socket.write(Buffer.from(chunk)),
    closed: () => socket.destroy(),
  });
  socket.on('data', (chunk) => {
    try {
      decoder.push(chunk, (type, requestId, transactionId, payload) => {
        transport.send(encodeMessage({ type, requestId, transactionId, payload }));
      });
    } catch {
      socket.destroy();
    }
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => transport.close());
}
