import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimStore } from '../../src/sim/store/index.js';
import { Decoder, encodeMessage, MessageType } from '../../src/xenstore/wire.js';
import { RawClient, settled } from './raw-client.js';

const T = MessageType;

describe('Connection', () => {
  it('takes requests split anywhere and answers in order, in a microtask', async () => {
    const client = new RawClient(new SimStore());
    const bytes = Buffer.concat([
      client.encode(T.write, '/a\x001'),
      client.encode(T.read, '/a\0'),
      client.encode(T.directory, '/nope\0'),
    ]);
    for (const byte of bytes) client.transport.send(Buffer.of(byte));
    assert.deepEqual(client.log, []);
    assert.deepEqual(await client.take(), ['OK\0', '1', '!ENOENT']);
    client.transport.send(bytes);
    assert.deepEqual(await client.take(), ['OK\0', '1', '!ENOENT']);
  });

  it('answers with the request’s type and ids', () => {
    const transport = new SimStore().connect(0);
    const seen: number[][] = [];
    const decoder = new Decoder();
    transport.start({
      bytes: (chunk) =>
        decoder.push(chunk, (type, request, transaction) => seen.push([type, request, transaction])),
      closed: () => {},
    });
    transport.send(
      encodeMessage({ type: T.read, requestId: 9, transactionId: 4, payload: Buffer.from('/\0') }),
    );
    transport.send(
      encodeMessage({ type: T.read, requestId: 8, transactionId: 0, payload: Buffer.from('/\0') }),
    );
    return settled().then(() =>
      assert.deepEqual(seen, [
        [T.error, 9, 4],
        [T.read, 8, 0],
      ]),
    );
  });

  it('ends on a payload above 4096 bytes, after what was answered', async () => {
    const store = new SimStore();
    const client = new RawClient(store);
    client.transport.send(client.encode(T.write, `/a\0${'x'.repeat(4093)}`));
    client.transport.send(client.encode(T.write, `/a\0${'x'.repeat(4094)}`));
    assert.deepEqual(await client.take(), ['OK\0']);
    assert.ok(client.ended?.cause);
    assert.equal(store.openConnections, 0);
  });

  it('leaves nothing behind when it is closed or its domain dies', async () => {
    const store = new SimStore();
    store.introduce(1);
    const [mine, guest] = [new RawClient(store), new RawClient(store, 1)];
    for (const client of [mine, guest]) {
      await client.begin();
      client.transport.send(client.encode(T.watch, '/a\0t\0'));
      await client.take();
    }
    assert.deepEqual([store.openConnections, store.openTransactions, store.watchCount], [2, 2, 2]);
    store.release(1);
    mine.transport.close();
    mine.transport.close();
    assert.deepEqual([store.openConnections, store.openTransactions, store.watchCount], [0, 0, 0]);
    await settled();
    assert.deepEqual(mine.ended, { cause: undefined });
    assert.ok(guest.ended?.cause);
  });
});

describe('requests', () => {
  it('are answered as by the C daemon', async () => {
    const store = new SimStore();
    store.introduce(1);
    const client = new RawClient(store);
    const table: [number, string, string][] = [
      [T.control, 'check\0', 'OK\0'],
      [T.control, 'print\0', '!EINVAL'],
      [T.control, 'foo\0', '!EINVAL'],
      [T.getFeature, 'x\0', '!ENOSYS'],
      [T.setQuota, 'x\0', '!ENOSYS'],
      [20, 'x\0', '!ENOSYS'],
      [99, 'x\0', '!ENOSYS'],
      [T.watchEvent, 'x\0', '!ENOSYS'],
      [T.read, '', '!EINVAL'],
      [T.read, '/', '!EINVAL'],
      [T.read, '/\0/\0', '!EINVAL'],
      [T.write, '/c', '!EINVAL'],
      [T.write, '/c\0a\0b', 'OK\0'],
      [T.read, '/c\0', 'a\0b'],
      [T.mkdir, '/d\0', 'OK\0'],
      [T.directory, '/d\0', ''],
      [T.directoryPart, '/d\x000', '!EINVAL'],
      [T.getPermissions, '/c\0', 'n0\0'],
      [T.setPermissions, '/c\0n0\0r7\0', 'OK\0'],
      [T.getPermissions, '/c\0', 'n0\0r7\0'],
      [T.setPermissions, '/c\0n7\0', '!ENOENT'],
      [T.setPermissions, '/c\0', '!EINVAL'],
      [T.setPermissions, '/c\0n0', '!EINVAL'],
      [T.setPermissions, '/c\0x0\0', '!EINVAL'],
      [T.setPermissions, '@releaseDomain\0n0\0r1\0', 'OK\0'],
      [T.setPermissions, '@foo\0n0\0', '!EINVAL'],
      [T.getPermissions, '@releaseDomain\0', '!EINVAL'],
      [T.rm, '/\0', '!EINVAL'],
      [T.rm, '/nope\0', 'OK\0'],
      [T.rm, '/nope/x\0', '!ENOENT'],
      [T.getDomainPath, '77\0', '/local/domain/77\0'],
      [T.getDomainPath, 'x\0', '/local/domain/0\0'],
      [T.isDomainIntroduced, '1\0', 'T\0'],
      [T.isDomainIntroduced, '9\0', 'F\0'],
      [T.introduce, '9\x001\x003\0', 'OK\0'],
      [T.isDomainIntroduced, '9\0', 'T\0'],
      [T.introduce, '9\0', '!EINVAL'],
      [T.setTarget, '9\x001\0', 'OK\0'],
      [T.setTarget, '9\x008\0', '!ENOENT'],
      [T.resume, '9\0', 'OK\0'],
      [T.resume, '8\0', '!ENOENT'],
      [T.release, '9\0', 'OK\0'],
      [T.release, '9\0', '!ENOENT'],
      [T.release, '0\0', '!EINVAL'],
      [T.unwatch, '/c\0none\0', '!ENOENT'],
      [T.watch, '/c\0tok', '!EINVAL'],
      [T.watch, '/c\0a\0b\0', '!EINVAL'],
      [T.watch, '/a b\0t\0', '!EINVAL'],
      [T.transactionEnd, 'T\0', '!ENOENT'],
      [T.resetWatches, '\0', 'OK\0'],
    ];
    for (const [type, payload, reply] of table) {
      assert.equal(await client.call(type, payload), reply, JSON.stringify([type, payload]));
    }
  });

  it('that only domain 0 may make are refused for guests', async () => {
    const guest = new RawClient(new SimStore(), 1);
    for (const type of [T.control, T.introduce, T.release, T.resume, T.setTarget, T.isDomainIntroduced]) {
      assert.equal(await guest.call(type, '1\0'), '!EACCES');
    }
    assert.equal(await guest.call(T.getDomainPath, '5\0'), '/local/domain/5\0');
  });

  it('let a domain do what its target may', async () => {
    const store = new SimStore();
    store.load('/local/domain/1/x = "1"   (n1)\n/local/domain/2 = ""   (n2)\n');
    const [client, model] = [new RawClient(store), new RawClient(store, 2)];
    assert.equal(await model.call(T.read, '/local/domain/1/x\0'), '!EACCES');
    assert.equal(await client.call(T.setTarget, '2\x001\0'), 'OK\0');
    assert.equal(await model.call(T.read, '/local/domain/1/x\0'), '1');
  });

  it('list large directories in parts of whole names, with a generation', async () => {
    const store = new SimStore();
    const names = Array.from({ length: 300 }, (_, at) => `name-of-twenty-${String(at).padStart(5, '0')}`);
    for (const name of names) await store.handle(0).write(`/big/${name}`, '');
    const client = new RawClient(store);
    assert.equal(await client.call(T.directory, '/big\0'), '!E2BIG');
    let listed = '';
    const generations = new Set<string>();
    for (let complete = false; !complete; ) {
      const part = await client.call(T.directoryPart, `/big\0${listed.length}\0`);
      assert.ok(part.length <= 4096);
      const cut = part.indexOf('\0');
      generations.add(part.slice(0, cut));
      complete = part.endsWith('\0\0');
      listed += complete ? part.slice(cut + 1, -1) : part.slice(cut + 1);
    }
    assert.deepEqual(listed.split('\0').slice(0, -1), names);
    assert.equal(generations.size, 1);
    for (const offset of ['6300', '9999', '-1']) {
      assert.equal(await client.call(T.directoryPart, `/big\0${offset}\0`), `${[...generations][0]}\0\0`);
    }
    await store.handle(0).write('/big/one-more', '');
    assert.ok(!generations.has((await client.call(T.directoryPart, '/big\x000\0')).split('\0')[0]!));
  });
});

describe('watches on the wire', () => {
  it('send the first event after the reply, and later ones before the reply to their cause', async () => {
    const client = new RawClient(new SimStore());
    client.transport.send(client.encode(T.watch, '/a\0t\0'));
    assert.deepEqual(await client.take(), ['OK\0', '*/a t']);
    client.transport.send(client.encode(T.write, '/a/b\0'));
    assert.deepEqual(await client.take(), ['*/a/b t', 'OK\0']);
    assert.equal(await client.call(T.watch, '/a\0t\0'), '!EEXIST');
    client.transport.send(client.encode(T.watch, 'rel\0r\0'));
    client.transport.send(client.encode(T.write, '/local/domain/0/rel/x\0'));
    assert.deepEqual(await client.take(), ['OK\0', '*rel r', '*rel/x r', 'OK\0']);
    assert.equal(await client.call(T.unwatch, 'rel\0r\0'), 'OK\0');
    assert.equal(await client.call(T.unwatch, '/a\0t\0'), 'OK\0');
    assert.equal(await client.call(T.write, '/a\0'), 'OK\0');
  });

  it('report removed descendants first, deepest first', async () => {
    const client = new RawClient(new SimStore());
    await client.call(T.write, '/t/x/y/z\0');
    await client.call(T.write, '/t/x/a\0');
    for (const path of ['/t', '/t/x', '/t/x/y', '/t/x/y/z', '/t/x/a']) {
      client.transport.send(client.encode(T.watch, `${path}\0${path}\0`));
    }
    await client.take();
    client.transport.send(client.encode(T.rm, '/t/x\0'));
    const expected = [
      '*/t/x/y/z /t/x/y/z',
      '*/t/x/y /t/x/y',
      '*/t/x/a /t/x/a',
      '*/t/x /t',
      '*/t/x /t/x',
      'OK\0',
    ];
    assert.deepEqual(await client.take(), expected);
  });

  it('leave out events that do not fit into a message', async () => {
    const client = new RawClient(new SimStore());
    const [path, token] = [`/${'p'.repeat(999)}`, 't'.repeat(3000)];
    client.transport.send(client.encode(T.watch, `${path}\0${token}\0`));
    await client.take();
    assert.equal(await client.call(T.write, `${path}/${'c'.repeat(1000)}\0`), 'OK\0');
    client.transport.send(client.encode(T.write, `${path}/u\0`));
    assert.deepEqual(await client.take(), [`*${path}/u ${token}`, 'OK\0']);
  });
});

describe('faults on demand', () => {
  it('drop, refuse and hold requests', async () => {
    const store = new SimStore();
    const seen: unknown[] = [];
    store.onRequest = (request) => seen.push(request);
    store.intercept = ({ path }) => {
      if (path === '/drop') return 'drop-connection';
      if (path === '/after') return 'drop-after';
      if (path === '/hold') return 'hold';
      return path === '/full' ? { error: 'ENOSPC' } : 'pass';
    };
    const client = new RawClient(store);
    assert.equal(await client.call(T.write, '/full\0'), '!ENOSPC');
    assert.equal(await client.call(T.write, '/hold\0held'), '(nothing)');
    assert.equal(await client.call(T.read, '/hold\0'.replace('hold', 'ok')), '!ENOENT');
    store.releaseHeld();
    assert.deepEqual(await client.take(), ['OK\0']);
    client.transport.send(
      Buffer.concat([client.encode(T.write, '/ok\0'), client.encode(T.write, '/after\0')]),
    );
    assert.deepEqual(await client.take(), ['OK\0']);
    assert.ok(client.ended?.cause);
    const other = new RawClient(store);
    assert.equal(await other.call(T.write, '/drop\0'), '(nothing)');
    assert.ok(other.ended?.cause);
    for (const [path, there] of Object.entries({ full: 0, hold: 1, ok: 1, after: 1, drop: 0 })) {
      assert.equal((await store.handle(0).read(`/${path}`)) !== undefined, there === 1, path);
    }
    assert.deepEqual(seen[0], { type: T.write, domid: 0, path: '/full', transactionId: 0 });
    assert.equal(store.openConnections, 0);
  });
});
