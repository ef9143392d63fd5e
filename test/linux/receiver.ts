/** A datagram socket, which Node has none of: a few lines of Python. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { unlessHung } from '../support/hang.js';

const PROGRAM = `
import socket, sys
path = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind('\\0' + path[1:] if path.startswith('@') else path)
print('ready', flush=True)
for _ in range(int(sys.argv[2])):
    print(receiver.recv(1 << 22).hex(), flush=True)
`;

/** What arrives at a socket while `body` runs: as many datagrams as are expected. */
export async function receiving(
  path: string,
  count: number,
  body: () => void | Promise<void>,
): Promise<Buffer[]> {
  const child = spawn('python3', ['-c', PROGRAM, path, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  const heard = (async () => {
    for await (const chunk of child.stdout.setEncoding('utf8')) text += chunk;
  })();
  try {
    while (!text.startsWith('ready\n'))
      await unlessHung('a receiver', Promise.race([once(child.stdout, 'data'), heard]));
    await body();
    await unlessHung('a receiver', heard, () => child.kill());
  } finally {
    child.kill();
  }
  const [, ...lines] = text.trimEnd().split('\n');
  return lines.map((line) => Buffer.from(line, 'hex'));
}
