/** `pvusb serve` in this process, on a published host. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '../../src/cli/program.js';
import { type Stage, terminalLike } from './stage.js';

/** A daemon beside a stage. */
export interface Served extends AsyncDisposable {
  /** What names it. */
  readonly host: string;
  readonly socketPath: string;
  readonly url: string;
  readonly tokens: string;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Runs `pvusb serve` until it is disposed of. */
export async function serve(stage: Stage): Promise<Served> {
  const dir = mkdtempSync(join(tmpdir(), 'pvusb-remote-'));
  const socketPath = join(dir, 'api');
  const tokens = join(dir, 'tokens');
  const listen = `127.0.0.1:${await freePort()}`;
  const stop = new AbortController();
  const words = ['serve', '--socket', socketPath, '--command-socket', join(dir, 'command')];
  let told = '';
  let ended: Promise<number> = Promise.resolve(0);
  await new Promise<void>((resolve, reject) => {
    const hear = (text: string): void => {
      told += text;
      if (told.includes('Watching')) resolve();
    };
    const terminal = terminalLike({ env: stage.env, signal: stop.signal, out: hear, err: hear });
    ended = runProgram(terminal, [...words, '--listen', listen, '--tokens', tokens]);
    void ended.then(() => reject(new Error(`it has ended: ${told}`)));
  });
  return {
    host: `unix:${socketPath}`,
    socketPath,
    url: `http://${listen}`,
    tokens,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
      rmSync(dir, { recursive: true });
    },
  };
}
