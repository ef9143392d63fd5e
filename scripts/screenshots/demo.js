// The demo as a user starts it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { root } from '../bundle.js';

/** Starts it; resolves when it has printed its address. */
export async function startDemo() {
  const program = spawn(process.execPath, [`${root}/dist/cli/main.cjs`, 'demo'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  for await (const piece of program.stdout) {
    text += piece;
    if (text.includes('Ctrl-C')) break;
  }
  const [url] = /http:\S+/.exec(text) ?? [];
  if (!url) throw new Error(`the demo does not start: ${text}`);
  return {
    url,
    async stop() {
      const ended = once(program, 'exit');
      program.kill('SIGINT');
      await ended;
    },
  };
}
