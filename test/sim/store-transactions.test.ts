import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { SimStore } from '../../src/sim/store/index.js';
import { MessageType } from '../../src/xenstore/wire.js';
import { RawClient } from './raw-client.js';

const T = MessageType;

describe('transactions', () => {
  const make = async (): Promise<[RawClient, RawClient, SimStore]> => {
    const store = new SimStore();
    for (const path of ['/c/a', '/c/b', '/c/d/e']) await store.handle(0).write(path, '1');
    return [new RawClient(store), new RawClient(store), store];
  };

  it('know only their own ids, and do not nest', async () => {
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

  it('show nothing before their end, then one event per node in order of access', async () => {
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

  it('end with EAGAIN when a node that they accessed has changed', async () => {
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

  it('keep showing what they saw first', async () => {
    const [a, b] = await make();
    const id = await a.begin();
    assert.equal(await a.call(T.directory, '/c\0', id), 'a\0b\0d\0');
    await b.call(T.write, '/c/n\0');
    assert.equal(await a.call(T.directory, '/c\0', id), 'a\0b\0d\0');
  });

  it('answer like the C daemon when another writer has made their view inconsistent', async () => {
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

  it('hold guests to their limits, for nodes at the end', async () => {
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

  it('does what a map would do; a transaction takes effect as a whole at its end, or not at all', async () => {
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
