import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { SimStore } from '../../src/sim/store/index.js';
import type { Transport } from '../../src/xenstore/transport.js';
import { Decoder, encodeMessage, type Message, MessageType } from '../../src/xenstore/wire.js';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const T = MessageType;

/** A client that shows replies as text: `OK\0`, or `!ENOENT`; events as `*path token`. */
class RawClient {
  readonly transport: Transport;
  readonly log: string[] = [];
  ended: { cause?: Error | undefined } | undefined;
  readonly #decoder = new Decoder();
  #nextRequest = 1;

  constructor(store: SimStore, domid = 0) {
    this.transport = store.connect(domid);
    this.transport.start({
      bytes: (chunk) =>
        this.#decoder.push(chunk, (type, _request, _transaction, payload) => {
          const text = payload.toString();
          if (type === T.watchEvent) this.log.push(`*${text.split('\0').slice(0, 2).join(' ')}`);
          else this.log.push(type === T.error ? `!${text.slice(0, -1)}` : text);
        }),
      closed: (cause) => {
        assert.equal(this.ended, undefined);
        this.ended = { cause };
      },
    });
  }

  encode(type: number, payload: string, transactionId = 0): Buffer {
    const message: Message = {
      type,
      transactionId,
      requestId: this.#nextRequest,
      payload: Buffer.from(payload),
    };
    this.#nextRequest += 1;
    return encodeMessage(message);
  }

  /** Everything that came since the last call. */
  async take(): Promise<string[]> {
    await settled();
    return this.log.splice(0);
  }

  async call(type: number, payload: string, transactionId = 0): Promise<string> {
    this.transport.send(this.encode(type, payload, transactionId));
    const [reply, ...rest] = await this.take();
    assert.deepEqual(rest, []);
    return reply ?? '(nothing)';
  }

  async begin(): Promise<number> {
    return Number.parseInt(await this.call(T.transactionStart, '\0'), 10);
  }
}

describe('Connection', () => {
  it('takes requests cut anywhere and answers in order, in a microtask', async () => {
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
  it('are answered as the C daemon does', async () => {
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

  it('that only domain 0 may make are refused to guests', async () => {
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

  it('tell of removed descendants first, deepest first', async () => {
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

  it('leave out events that fit into no message', async () => {
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

describe('transactions', () => {
  const make = async (): Promise<[RawClient, RawClient, SimStore]> => {
    const store = new SimStore();
    for (const path of ['/c/a', '/c/b', '/c/d/e']) await store.handle(0).write(path, '1');
    return [new RawClient(store), new RawClient(store), store];
  };

  it('know their own ids only, and do not nest', async () => {
    const [a, b] = await make();
    const id = await a.begin();
    assert.equal(await a.call(T.transactionStart, '\0', id), '!EBUSY');
    assert.equal(await b.call(T.read, '/c\0', id), '!ENOENT');
    assert.equal(await a.call(T.transactionEnd, 'X\0', id), '!EINVAL');
    assert.equal(await a.call(T.transactionEnd, 'F\0', id), 'OK\0');
    assert.equal(await a.call(T.transactionEnd, 'F\0', id), '!ENOENT');
    const dropped = await a.begin();
    assert.equal(await a.call(T.resetWatches, '\0', dropped), 'OK\0');
    assert.equal(await a.call(T.transactionEnd, 'T\0', dropped), '!ENOENT');
  });

  it('show nothing before their end, then one event a node in the order they were looked at', async () => {
    const [a, b] = await make();
    b.transport.send(b.encode(T.watch, '/c\0t\0'));
    await b.take();
    const id = await a.begin();
    await a.call(T.read, '/c/b\0', id);
    for (const path of ['/c/n/m', '/c/k', '/c/n/m', '/c/b']) await a.call(T.write, `${path}\x002`, id);
    await a.call(T.rm, '/c/k\0', id);
    assert.equal(await a.call(T.directory, '/c\0', id), 'a\0b\0d\0n\0');
    assert.equal(await b.call(T.directory, '/c\0'), 'a\0b\0d\0');
    assert.equal(await a.call(T.transactionEnd, 'T\0', id), 'OK\0');
    assert.deepEqual(await b.take(), ['*/c/b t', '*/c/n/m t']);
    assert.equal(await b.call(T.read, '/c/n/m\0'), '2');
  });

  it('end with EAGAIN when a node that they looked at has changed', async () => {
    const read = (path: string): [number, string] => [T.read, `${path}\0`];
    const put = (path: string): [number, string] => [T.write, `${path}\x001`];
    const rm = (path: string): [number, string] => [T.rm, `${path}\0`];
    const list = (path: string): [number, string] => [T.directory, `${path}\0`];
    const table: [string, [number, string], [number, string][], 'OK' | 'EAGAIN'][] = [
      ['write, new sibling', put('/c/a'), [put('/c/n')], 'OK'],
      ['create, new sibling', put('/c/x'), [put('/c/n')], 'EAGAIN'],
      ['create, sibling written', put('/c/x'), [put('/c/a')], 'OK'],
      ['list, new child', list('/c'), [put('/c/n')], 'EAGAIN'],
      ['list, child written', list('/c'), [put('/c/a')], 'OK'],
      ['list, child removed', list('/c'), [rm('/c/a')], 'EAGAIN'],
      ['absent, created', read('/c/m'), [put('/c/m')], 'EAGAIN'],
      ['absent, created and removed', read('/c/m'), [put('/c/m'), rm('/c/m')], 'EAGAIN'],
      ['absent, nothing', read('/c/m'), [], 'OK'],
      ['tree removed, descendant written', rm('/c/d'), [put('/c/d/e')], 'EAGAIN'],
      ['tree removed, descendant made', rm('/c/d'), [put('/c/d/n')], 'EAGAIN'],
      ['read, same value written', read('/c/a'), [put('/c/a')], 'EAGAIN'],
      ['read, permissions set', read('/c/a'), [[T.setPermissions, '/c/a\0n0\0r1\0']], 'EAGAIN'],
      ['write, tree removed', put('/c/a'), [rm('/c')], 'EAGAIN'],
      ['made above, parent made', put('/c/x/y'), [put('/c/x')], 'EAGAIN'],
    ];
    for (const [name, [type, payload], others, outcome] of table) {
      const [a, b, store] = await make();
      const id = await a.begin();
      await a.call(type, payload, id);
      for (const [otherType, otherPayload] of others) await b.call(otherType, otherPayload);
      const before = store.dump();
      const expected = outcome === 'OK' ? 'OK\0' : '!EAGAIN';
      assert.equal(await a.call(T.transactionEnd, 'T\0', id), expected, name);
      if (outcome === 'EAGAIN') assert.equal(store.dump(), before, name);
      assert.equal(store.openTransactions, 0);
    }
  });

  it('go on showing what they saw first', async () => {
    const [a, b] = await make();
    const id = await a.begin();
    assert.equal(await a.call(T.directory, '/c\0', id), 'a\0b\0d\0');
    await b.call(T.write, '/c/n\0');
    assert.equal(await a.call(T.directory, '/c\0', id), 'a\0b\0d\0');
  });

  it('answer as the C daemon when another writer has torn their view', async () => {
    const [a, b] = await make();
    const made = await a.begin();
    assert.equal(await a.call(T.read, '/q\0', made), '!ENOENT');
    await b.call(T.write, '/q/c\x001');
    assert.equal(await a.call(T.rm, '/q/c\0', made), '!EINVAL');
    assert.equal(await a.call(T.write, '/q/c\x002', made), 'OK\0');
    assert.equal(await a.call(T.transactionEnd, 'T\0', made), '!EAGAIN');
    const removed = await a.begin();
    assert.equal(await a.call(T.directory, '/q\0', removed), 'c\0');
    await b.call(T.rm, '/q/c\0');
    assert.equal(await a.call(T.rm, '/q\0', removed), '!EIO');
    assert.equal(await a.call(T.transactionEnd, 'T\0', removed), '!EAGAIN');
  });

  it('hold guests to their limits, nodes at the end', async () => {
    const store = new SimStore({ quotas: { nodes: 5, transactionNodes: 12 } });
    store.load('/local/domain/1 = ""   (n1)\n');
    const guest = new RawClient(store, 1);
    for (let open = 0; open < 10; open += 1) await guest.begin();
    const id = await guest.begin();
    assert.equal(await guest.call(T.transactionStart, '\0'), '!ENOSPC');
    for (const at of [1, 2, 3, 4, 5]) assert.equal(await guest.call(T.write, `n${at}\0`, id), 'OK\0');
    for (const at of [6, 7, 8, 9, 10, 11]) await guest.call(T.read, `n${at}\0`, id);
    assert.equal(await guest.call(T.read, 'n12\0', id), '!ENOSPC');
    const before = store.dump();
    assert.equal(await guest.call(T.transactionEnd, 'T\0', id), '!ENOSPC');
    assert.equal(store.dump(), before);
  });
});

/** Paths with their values, in order of creation. */
type Model = Map<string, string>;

type Step = readonly [kind: 'read' | 'list' | 'write' | 'mkdir' | 'rm', path: string, value: string];

const above = (path: string): string => path.slice(0, path.lastIndexOf('/'));

function makeIn(model: Model, path: string): void {
  if (path === '' || model.has(path)) return;
  makeIn(model, above(path));
  model.set(path, '');
}

/** What the daemon answers to `step`, by the simplest means. */
function expectFrom(model: Model, [kind, path, value]: Step): string {
  if (kind === 'read') return model.get(path) ?? '!ENOENT';
  if (kind === 'list') {
    if (!model.has(path)) return '!ENOENT';
    const names = [...model.keys()].filter((other) => above(other) === path);
    return names.map((name) => `${name.slice(path.length + 1)}\0`).join('');
  }
  if (kind === 'rm') {
    if (!model.has(path) && above(path) !== '' && !model.has(above(path))) return '!ENOENT';
    for (const other of [...model.keys()])
      if (other === path || other.startsWith(`${path}/`)) model.delete(other);
    return 'OK\0';
  }
  makeIn(model, path);
  if (kind === 'write') model.set(path, value);
  return 'OK\0';
}

describe('any sequence of requests', () => {
  const TYPES = { read: T.read, list: T.directory, write: T.write, mkdir: T.mkdir, rm: T.rm };
  const step = fc.tuple(
    fc.constantFrom<Step[0]>('read', 'list', 'write', 'mkdir', 'rm'),
    fc
      .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 })
      .map((names) => `/${names.join('/')}`),
    fc.constantFrom('', '1', '2'),
  );
  // Lane 0 works directly; the others in a transaction each, which `end` commits.
  const action = fc.record({
    lane: fc.nat(2),
    step,
    end: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  });

  it('does what a map would do; a transaction happens at its end as a whole, or not at all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
        const store = new SimStore();
        store.load('');
        const client = new RawClient(store);
        let model: Model = new Map();
        let changes = 0;
        const open = new Map<number, { id: number; done: [Step, string][]; changesBefore: number }>();
        for (const { lane, step: now, end } of actions) {
          const payload = now[0] === 'write' ? `${now[1]}\0${now[2]}` : `${now[1]}\0`;
          if (lane === 0) {
            assert.equal(await client.call(TYPES[now[0]], payload), expectFrom(model, now));
            if (now[0] !== 'read' && now[0] !== 'list') changes += 1;
            continue;
          }
          const transaction = open.get(lane) ?? {
            id: await client.begin(),
            done: [],
            changesBefore: changes,
          };
          open.set(lane, transaction);
          transaction.done.push([now, await client.call(TYPES[now[0]], payload, transaction.id)]);
          if (!end) continue;
          open.delete(lane);
          const outcome = await client.call(T.transactionEnd, 'T\0', transaction.id);
          if (outcome === '!EAGAIN') {
            assert.notEqual(changes, transaction.changesBefore, 'a conflict with nobody');
            continue;
          }
          assert.equal(outcome, 'OK\0');
          const after = new Map(model);
          for (const [did, reply] of transaction.done) assert.equal(reply, expectFrom(after, did));
          model = after;
          changes += 1;
        }
        const lines = [...model].map(([path, value]) => `${path} = "${value}"   (n0)\n`);
        assert.equal(store.dump(), lines.sort().join(''));
        assert.equal(store.openTransactions, open.size);
      }),
      { numRuns: 300 },
    );
  });
});
