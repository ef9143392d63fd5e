/** The kernel's events as `udevadm monitor` prints them, for machines without the package's native library. */
import { Gathered } from './gathered.js';
import type { Plugs } from './plugs.js';

const ARGUMENTS = ['monitor', '--kernel', '--property', '--subsystem-match=usb'];

/** Its first line, once it listens. */
const BEGIN = 'monitor will print';

/** Starts it; undefined where there is no such program, or it ends at once. */
export async function openUdevadm(): Promise<Plugs | undefined> {
  // Loaded when it is needed: few machines need it, and it takes a while.
  const { spawn } = await import('node:child_process');
  const child = spawn('udevadm', ARGUMENTS, { stdio: ['ignore', 'pipe', 'ignore'] });
  const gathered = new Gathered();
  gathered.end = () => child.kill();
  let rest = '';
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    // A read may end inside a line.
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) hear(line);
  });
  let hear: (line: string) => void = () => undefined;
  return new Promise((resolve) => {
    hear = (line) => {
      if (line.startsWith(BEGIN)) resolve(gathered);
      const [, name] = /^DEVPATH=.*\/([^/]+)$/.exec(line) ?? [];
      if (name !== undefined) gathered.stir(name);
    };
    child.once('error', () => resolve(undefined));
    child.once('exit', () => {
      resolve(undefined);
      // It prints nothing when it has lost events, and none of what comes now is seen.
      gathered.lose(true);
    });
  });
}
