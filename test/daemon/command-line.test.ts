/** The daemon's side of handed-over commands: what is no request, who may ask, what is bounded. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import {
  type CommandTerminal,
  type RunCommand,
  type ServeCommandsOptions,
  type ServedCommands,
  serveCommands,
} from '../../src/daemon/command-line.js';
import { CommandProtocolError, LauncherReader } from '../../src/daemon/command-request.js';
import type { Actor } from '../../src/daemon/service.js';

const ROOT: Actor = { name: 'root', via: 'command', role: 'admin', uid: 0 };

/** A frame as a launcher sends it. */
function frame(type: string, payload = ''): Buffer {
  const bytes = Buffer.from(payload);
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

const fields = (...argv: readonly string[]): string =>
  ['1', '1.0', '80', '', '1', '0', '0', ...argv].join('\0');
const REQUEST = frame('r', fields('list', 'u1'));

describe('what a launcher says', () => {
  it('is read in pieces of any size', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 8 }).map((one) => one.replaceAll('\0', ''));
    fc.assert(
      fc.property(
        fc.array(text, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 40 })),
        (argv, cuts) => {
          const bytes = Buffer.concat([frame('r', fields(...argv)), frame('i'), frame('i')]);
          const reader = new LauncherReader();
          const said = [];
          let at = 0;
          for (const size of [...cuts, bytes.length]) {
            said.push(...reader.read(bytes.subarray(at, at + size)));
            at += size;
          }
          assert.deepEqual(
            said.map(({ says }) => says),
            ['request', 'interrupt', 'interrupt'],
          );
          assert.deepEqual(
            said.flatMap((one) => ('request' in one ? one.request.argv : [])),
            argv,
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is a request or refused, whatever it is', () => {
    const field = fc.oneof(
      fc.constantFrom(
        '',
        '0',
        '1',
        '80',
        '2',
        '999999',
        '-1',
        'COLUMNS=5',
        'PVUSB_X=',
        '__proto__=1',
        'PATH=/',
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(field, { maxLength: 12 }), (words) => {
        const reader = new LauncherReader();
        try {
          const [one] = reader.read(frame('r', ['1', ...words].join('\0')));
          assert.equal(one?.says, 'request');
        } catch (error) {
          assert.ok(error instanceof CommandProtocolError, String(error));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is known of another protocol by its version only', () => {
    const [one] = new LauncherReader().read(frame('r', '2\x009.9\0who knows'));
    assert.deepEqual(one?.says === 'request' && [one.request.protocol, one.request.version], ['2', '9.9']);
  });

  for (const [what, bytes] of [
    ['an interruption before the request', frame('i')],
    ['a second request', Buffer.concat([REQUEST, REQUEST])],
    ['an interruption with something in it', Buffer.concat([REQUEST, frame('i', 'x')])],
    ['a request that is too long', Buffer.from('r\0\x02\0\x01', 'latin1')],
    [
      'more variables announced than sent',
      frame('r', ['1', '1', '', '', '0', '0', '2', 'TERM=x'].join('\0')),
    ],
    [
      'a variable that is not passed on',
      frame('r', ['1', '1', '', '', '0', '0', '1', 'LD_PRELOAD=x'].join('\0')),
    ],
    ['a request without fields', frame('r')],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ] as const)
    it(`is not ${what}`, () => assert.throws(() => new LauncherReader().read(bytes), CommandProtocolError));
});

/** Served commands, and a client of them. */
async function serve(t: TestContext, run: RunCommand, options: Partial<ServeCommandsOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'pvusb-commands-'));
  const server = createServer();
  const served: ServedCommands = serveCommands(server, run, {
    version: '1.0',
    environment: {},
    admit: () => ROOT,
    ...options,
  });
  const path = join(folder, 'socket');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(async () => {
    await served.close();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return { served, client: (): Socket => connect(path).on('error', () => undefined) };
}

/** Everything that comes until the end. */
function heard(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  return new Promise((resolve) => socket.once('close', () => resolve(text)));
}

/** Resolves when the signal of a command aborts. */
const abortOf = ({ signal }: CommandTerminal): Promise<void> =>
  new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve())));

describe('commands that are served', () => {
  it('answer with frames, to each its own', async (t) => {
    const { client } = await serve(t, async (terminal, argv) => {
      terminal.out(`out ${argv.join(' ')}`);
      terminal.err('err');
      terminal.out('');
      return 7;
    });
    const one = client();
    one.write(REQUEST);
    assert.equal(await heard(one), 'o\0\0\0\x0bout list u1e\0\0\0\x03errx\0\0\0\x017');
  });

  it('hang up on strangers, on garbage, and on who says nothing', async (t) => {
    const never: RunCommand = async () => assert.fail('nothing runs');
    const stranger = (await serve(t, never, { admit: () => undefined })).client();
    stranger.write(REQUEST);
    assert.equal(await heard(stranger), '');
    const { client } = await serve(t, never, { requestWithinMs: 20 });
    const garbage = client();
    garbage.write('GET / HTTP/1.1\r\n\r\n');
    assert.equal(await heard(garbage), '');
    const silent = client();
    silent.write(REQUEST.subarray(0, 9));
    assert.equal(await heard(silent), '');
  });

  it('are aborted when their launcher goes away, and when they are closed', async (t) => {
    let aborted = 0;
    let begun = (): void => undefined;
    const { client, served } = await serve(t, async (terminal) => {
      begun();
      await abortOf(terminal);
      aborted++;
      terminal.out('undone');
      return 130;
    });
    const start = async (): Promise<Socket> => {
      const ready = new Promise<void>((resolve) => {
        begun = resolve;
      });
      const socket = client();
      socket.write(REQUEST);
      await ready;
      return socket;
    };
    (await start()).destroy();
    const other = await start();
    const text = heard(other);
    await served.close();
    assert.equal(await text, 'o\0\0\0\x06undonex\0\0\0\x03130');
    assert.equal(aborted, 2);
    const late = client();
    late.write(REQUEST);
    assert.equal(await heard(late), 'n\0\0\0\0');
  });

  it('are aborted when nobody reads what they print', async (t) => {
    let printed = 0;
    const done = new Promise<void>((resolve, reject) => {
      void serve(
        t,
        async (terminal) => {
          const aborted = abortOf(terminal);
          for (; printed < 100 && !terminal.signal.aborted; printed++) {
            terminal.out('x'.repeat(100_000));
            await new Promise(setImmediate);
          }
          await aborted;
          resolve();
          return 0;
        },
        { unreadMax: 1_000_000 },
      ).then(({ client }) => client().pause().write(REQUEST), reject);
    });
    await done;
    assert.ok(printed < 40, `${printed} pieces of 100 kB were printed`);
  });
});
