/** The transport over a character device: a pseudo terminal that leads to the simulated store. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, test } from 'node:test';
import { publishStore, SimStore } from '../../src/sim/index.js';
import { openDevice, openXenstore, XenstoreClient } from '../../src/xenstore/index.js';
import { endOf } from '../support/hang.js';
import { orSkip } from '../support/needs.js';
import { run } from '../support/packages.js';
import { projectRoot } from '../xenstored/fetch.js';
import { fails } from './support.js';

const { skip } = await orSkip('the client on a character device', 'python3', () =>
  run('python3', ['-c', 'import tty']),
);
if (skip !== false) test('the client on a character device', { skip });

interface Device {
  readonly path: string;
  readonly bridge: ChildProcess;
}

describe('the client on a character device', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'pvusb-dev-'));
  const store = new SimStore();
  const bridges: ChildProcess[] = [];
  let close: () => Promise<void>;
  before(async () => {
    close = (await publishStore(store, join(folder, 'socket'))).close;
  });
  after(async () => {
    for (const bridge of bridges) bridge.kill();
    await close();
    rmSync(folder, { recursive: true });
  });

  async function makeDevice(): Promise<Device> {
    const program = join(projectRoot(), 'test', 'xenstore', 'pty-bridge.py');
    const bridge = spawn('python3', [program, join(folder, 'socket')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    bridges.push(bridge);
    const ended = once(bridge, 'exit').then(() => assert.fail('the bridge ended'));
    const [path] = (await Promise.race([once(bridge.stdout, 'data'), ended])) as [Buffer];
    ended.catch(() => undefined);
    return { path: path.toString().trim(), bridge };
  }

  it('reads, writes, lists and watches as on a socket', async () => {
    const { path } = await makeDevice();
    const client = await openXenstore({ environment: { XENSTORED_PATH: path } });
    const binary = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await client.write('/t/binary', binary);
    assert.deepEqual(await client.readBytes('/t/binary'), binary);
    await Promise.all(Array.from({ length: 500 }, (_, i) => client.write(`/t/many/${i}`, 'x'.repeat(100))));
    const names = await client.directory('/t/many');
    assert.equal(names?.length, 500);
    const values = await client.readMany(names!.map((name) => `/t/many/${name}`));
    assert.ok(values.every((value) => value?.length === 100));
    const watch = await client.watch('/t/w');
    assert.deepEqual((await watch.next()).value, ['/t/w']);
    await store.handle(0).write('/t/w/x', '');
    assert.deepEqual((await watch.next()).value, ['/t/w/x']);
    await watch.close();
    assert.equal(client.pendingCount, 0);
    client.close();
  });

  it('sends one message per write', async () => {
    const { path } = await makeDevice();
    const probe = await open('/dev/null', 'r+');
    const prototype = Object.getPrototypeOf(probe) as { write: (bytes: Buffer) => Promise<unknown> };
    await probe.close();
    const original = prototype.write;
    const writes: Buffer[] = [];
    prototype.write = function (bytes) {
      writes.push(Buffer.from(bytes));
      return original.call(this, bytes);
    };
    try {
      const client = new XenstoreClient(await openDevice(path));
      await Promise.all([
        client.write('/t/a', '1'),
        client.read('/t/a'),
        client.transaction((view) => view.mkdir('/t/b')),
      ]);
      client.close();
    } finally {
      prototype.write = original;
    }
    assert.ok(writes.length >= 5);
    for (const bytes of writes) assert.equal(bytes.length, 16 + bytes.readUInt32LE(12));
  });

  it('lets go of the device when it is closed, and fails what was pending', async () => {
    const { path, bridge } = await makeDevice();
    const client = new XenstoreClient(await openDevice(path));
    const watch = await client.watch('/t');
    await watch.next();
    const waiting = watch.next();
    const closed = once(bridge.stdout!, 'data') as Promise<[Buffer]>;
    client.close();
    client.close();
    await assert.rejects(waiting, fails('connection-lost', 'watch'));
    await assert.rejects(client.read('/t'), fails('connection-lost', 'read'));
    assert.equal(String((await closed)[0]), 'closed\n');
  });

  it('fails everything when the device goes away', async () => {
    const { path, bridge } = await makeDevice();
    const client = new XenstoreClient(await openDevice(path));
    store.intercept = () => 'hold';
    const reading = client.read('/t');
    const outcome = assert.rejects(reading, fails('connection-lost', 'read', '/t'));
    bridge.kill('SIGKILL');
    await outcome;
    delete store.intercept;
    await assert.rejects(client.write('/t', ''), fails('connection-lost', 'write', '/t'));
    assert.equal(client.pendingCount, 0);
  });

  it('lets its program end after a close, even if a read was waiting', async () => {
    const { path } = await makeDevice();
    const module = new URL('../../src/xenstore/index.js', import.meta.url).href;
    const script = `
      const { openXenstore } = await import(${JSON.stringify(module)});
      const client = await openXenstore({ environment: { XENSTORED_PATH: ${JSON.stringify(path)} } });
      process.stdout.write(await client.read('/local/domain/0/name'));
      await new Promise((resolve) => setTimeout(resolve, 50));
      client.close();`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said = child.stdout.setEncoding('utf8').toArray();
    assert.deepEqual([await endOf(child), (await said).join('')], [0, 'Domain-0']);
  });

  it('that does not exist, or may not be opened, cannot be reached', async () => {
    await assert.rejects(openDevice(join(folder, 'missing')), fails('unreachable', 'connect'));
    await assert.rejects(openDevice(folder), fails('unreachable', 'connect'));
  });
});
