/** What is asked of a running simulated host from outside, on a Unix socket: one JSON value a line, answered by another. */
import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { Published } from './sysfs.js';

/** An answer, as a line of JSON. */
export type ControlAnswer =
  | { readonly result: unknown }
  | { readonly error: { readonly code: string; readonly message: string } };

/** Longest request: a world and some more. */
const REQUEST_MAX = 32 * 1024 * 1024;

/** Serves `perform` at `socketPath`; what it rejects with is an answer too. Rejects when the socket cannot be made. */
export async function publishControl(
  perform: (untrusted: unknown) => Promise<unknown>,
  socketPath: string,
): Promise<Published> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end === -1 && text.length > REQUEST_MAX) socket.destroy();
      if (end === -1) return;
      const line = text.slice(0, end);
      text = '';
      void answer(perform, line).then((told) => socket.end(`${JSON.stringify(told)}\n`));
    });
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

async function answer(
  perform: (untrusted: unknown) => Promise<unknown>,
  line: string,
): Promise<ControlAnswer> {
  try {
    return { result: await perform(JSON.parse(line)) };
  } catch (error) {
    const { code = 'refused', message } = error as Error & { readonly code?: string };
    return { error: { code, message } };
  }
}
