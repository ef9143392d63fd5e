/** Named pipes that stand in for the attributes that are written to (`bind`, `unbind`, `drivers_probe`). */
import { execFileSync } from 'node:child_process';
import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';

/** Named pipes cannot be made: the program is missing, or the file system has none. The message is a sentence. */
export class FifoError extends Error {
  override readonly name = 'FifoError';
}

/** The program that makes them, which Node cannot: in PATH, or where systems have it whatever PATH says. */
const MKFIFO = ['mkfifo', '/usr/bin/mkfifo', '/bin/mkfifo'];

/** Makes named pipes. @throws {FifoError} when one cannot be made */
export function makeFifos(paths: readonly string[], programs: readonly string[] = MKFIFO): void {
  if (paths.length === 0) return;
  for (const program of programs) {
    try {
      execFileSync(program, ['-m', '600', ...paths], { stdio: ['ignore', 'ignore', 'pipe'] });
      return;
    } catch (error) {
      const { code, message, stderr } = error as NodeJS.ErrnoException & { readonly stderr?: Buffer };
      if (code === 'ENOENT') continue;
      const why =
        String(stderr ?? '')
          .trim()
          .split('\n')
          .at(-1) || message;
      throw new FifoError(`Named pipes cannot be made: ${why}.`, { cause: error });
    }
  }
  throw new FifoError('Named pipes cannot be made: there is no program mkfifo.');
}

/**
 * Reads what is written into a named pipe; returns a function that ends it.
 *
 * It is opened for writing too, so that it never ends, and without blocking; the event loop polls it, since a read
 * through `fs` would hold one of the few threads for ever.
 */
export function readFifo(path: string, onText: (text: string) => void): () => void {
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const pipe = new Socket({ fd, readable: true, writable: false });
  pipe.setEncoding('utf8');
  pipe.on('data', (text: string) => onText(text));
  pipe.on('error', () => pipe.destroy());
  pipe.unref();
  return () => pipe.destroy();
}

/**
 * Cuts what came out of a pipe into names: by newlines, and where writers left those out, by the existing names
 * (`3-2:1.03-2:1.1`). What does not match any stays whole.
 */
export function splitNames(text: string, known: readonly string[]): string[] {
  const longestFirst = [...known].sort((a, b) => b.length - a.length);
  const lines = text.split(/[\n\0]/).filter((line) => line !== '');
  return lines.flatMap((line) => glued(line, longestFirst) ?? [line]);
}

function glued(line: string, names: readonly string[]): string[] | undefined {
  if (line === '') return [];
  for (const name of names) {
    if (!line.startsWith(name)) continue;
    const rest = glued(line.slice(name.length), names);
    if (rest) return [name, ...rest];
  }
  return undefined;
}
