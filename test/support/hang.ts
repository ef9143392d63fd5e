/** The only time limit that tests have: it ends what hangs. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Nothing that works takes this long, however busy the machine is; milliseconds. */
export const HANG_MS = 300_000;

/** Resolves as `promise` does; if it has not settled by then, calls `end`, and rejects. */
export async function unlessHung<T>(
  what: string,
  promise: Promise<T>,
  end = (): void => undefined,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const hung = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      end();
      reject(new Error(`${what} hangs`));
    }, HANG_MS);
  });
  try {
    return await Promise.race([promise, hung]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for a process's end: its exit status, or the name of the signal. A hanging one is killed. */
export async function endOf(child: ChildProcess): Promise<number | NodeJS.Signals> {
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const [status, signal] = await unlessHung(`process ${child.pid}`, ended, () => child.kill('SIGKILL'));
  return status ?? signal!;
}
