import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimStore } from '../../src/sim/store/index.js';
import { XenstoreClient } from '../../src/xenstore/index.js';
import { fails, fakeClient, settled, textOf } from './support.js';

function simClient(): { readonly store: SimStore; readonly client: XenstoreClient } {
  const store = new SimStore();
  return { store, client: new XenstoreClient(store.connect(0)) };
}

describe('a watch', () => {
  it('is an async iterable of dirty paths: first the watched one, then each changed path once', async () => {
    const { store, client } = simClient();
    const watch = await client.watch('/t');
    const turns: (readonly string[])[] = [];
    for await (const paths of watch) {
      turns.push(paths);
      if (turns.length === 3) break;
      for (let i = 0; i < 50; i++) await client.write(`/t/${i % 2}`, String(i));
      if (turns.length === 2) await client.rm('/t');
    }
    assert.deepEqual(turns, [['/t'], ['/t/0', '/t/1'], ['/t/0', '/t/1', '/t']]);
    assert.equal(store.watchCount, 0);
    assert.deepEqual(await watch.next(), { done: true, value: undefined });
  });

  it('gets the event before the acknowledgement of the write that caused it', async () => {
    const { client } = simClient();
    await using watch = await client.watch('/t');
    await watch.next();
    await client.write('/t/a', '');
    const turn = await Promise.race([watch.next(), settled()]);
    assert.deepEqual(turn, { done: false, value: ['/t/a'] });
  });

  it('accepts an event that comes before the answer that it is set', async () => {
    const { client, wire } = fakeClient();
    const watching = client.watch('/w');
    const [request] = await wire.take();
    wire.event('/w/early', textOf(request!).split('|')[1]!);
    wire.answer(request!, 'OK\0');
    assert.deepEqual((await (await watching).next()).value, ['/w/early']);
  });

  it('gives up to 1000 paths one by one, and more as the watched one, which stands for all', async () => {
    const { client } = simClient();
    await using watch = await client.watch('/t');
    await watch.next();
    for (let i = 0; i < 1000; i++) client.write(`/t/${i}`, '').catch(() => {});
    await client.read('/t');
    assert.equal((await watch.next()).value?.length, 1000);
    for (let i = 0; i < 3000; i++) client.write(`/t/${i}`, '').catch(() => {});
    await client.read('/t');
    assert.deepEqual((await watch.next()).value, ['/t']);
    await client.write('/t/7', '');
    assert.deepEqual((await watch.next()).value, ['/t/7']);
  });

  it('ignores events with invalid or old tokens', async () => {
    const { client, wire } = fakeClient();
    wire.event('/x', 'never');
    const watching = client.watch('/w');
    const [request] = await wire.take();
    wire.answer(request!, 'OK\0');
    const watch = await watching;
    const closing = watch.close();
    wire.event('/w', textOf(request!).split('|')[1]!);
    wire.answer((await wire.take())[0]!, 'OK\0');
    await closing;
    assert.equal((await watch.next()).done, true);
    assert.equal(client.closed, false);
  });

  it('is ended by close, return and disposal, each any number of times', async () => {
    const { store, client } = simClient();
    const watch = await client.watch('/t');
    const other = await client.watch('/t');
    assert.equal(client.watchCount, 2);
    assert.equal(store.watchCount, 2);
    await Promise.all([watch.close(), watch.close(), watch.return(), watch[Symbol.asyncDispose]()]);
    await watch.close();
    assert.deepEqual(await watch.return(), { done: true, value: undefined });
    assert.equal(store.watchCount, 1);
    await other.return();
    assert.equal(store.watchCount, 0);
    assert.equal(client.watchCount, 0);
    assert.equal(client.pendingCount, 0);
  });

  it('ends a waiting next() when it is closed', async () => {
    const { client } = simClient();
    const watch = await client.watch('/t');
    await watch.next();
    const waiting = watch.next();
    await watch.close();
    assert.deepEqual(await waiting, { done: true, value: undefined });
  });

  it('goes on after an abort of next()', async () => {
    const { store, client } = simClient();
    await using watch = await client.watch('/t');
    await watch.next();
    const giveUp = new AbortController();
    const waiting = watch.next(giveUp);
    giveUp.abort(new Error('given up'));
    await assert.rejects(waiting, /given up/);
    await assert.rejects(watch.next(giveUp), /given up/);
    await client.write('/t/a', '');
    assert.deepEqual((await watch.next(giveUp)).value, ['/t/a']);
    assert.equal(store.watchCount, 1);
  });

  it('that is aborted while it is being set does not stay in the daemon', async () => {
    for (const sent of [false, true]) {
      const { store, client } = simClient();
      store.intercept = () => 'hold';
      const giveUp = new AbortController();
      const watching = client.watch('/t', giveUp);
      if (sent) await settled();
      giveUp.abort(new Error('given up'));
      // The daemon does not answer, and nobody waits for it.
      await assert.rejects(watching, /given up/);
      delete store.intercept;
      store.releaseHeld();
      await settled();
      store.releaseHeld();
      await settled();
      assert.equal(store.watchCount, 0, sent ? 'sent' : 'not sent');
      assert.equal(client.watchCount, 0);
      assert.equal(client.pendingCount, 0);
    }
  });

  it('that the daemon refuses does not exist', async () => {
    const { store, client } = simClient();
    store.intercept = () => ({ error: 'E2BIG' });
    await assert.rejects(client.watch('/t'), fails('E2BIG', 'watch', '/t'));
    assert.equal(client.watchCount, 0);
  });

  it('of an impossible path is refused', async () => {
    const { client, wire } = fakeClient();
    for (const path of ['', '/a b', '/a/', '@', '@a b', '/t\0', `/${'x'.repeat(4000)}`]) {
      await assert.rejects(client.watch(path), fails('invalid-path', 'watch'), path);
    }
    assert.deepEqual(await wire.take(), []);
  });

  it('fails when the connection is lost, after it has reported what was dirty', async () => {
    const { store, client } = simClient();
    const [watch, idle] = [await client.watch('/t'), await client.watch('/u')];
    await idle.next();
    await watch.next();
    await client.write('/t/a', '');
    const waiting = idle.next();
    store.intercept = () => 'drop-connection';
    await assert.rejects(client.read('/a'), fails('connection-lost', 'read', '/a'));
    await assert.rejects(waiting, fails('connection-lost', 'watch', '/u'));
    assert.deepEqual((await watch.next()).value, ['/t/a']);
    await assert.rejects(watch.next(), fails('connection-lost', 'watch', '/t'));
    await assert.rejects(
      (async () => {
        for await (const _paths of watch) assert.fail('a turn came');
      })(),
      fails('connection-lost'),
    );
    await watch.close();
    await assert.rejects(client.watch('/t'), fails('connection-lost', 'watch', '/t'));
    assert.equal(client.watchCount, 0);
  });

  it('ends with all others when the client resets its watches', async () => {
    const { store, client } = simClient();
    const watches = [await client.watch('/t'), await client.watch('@releaseDomain')];
    for (const watch of watches) await watch.next();
    const waiting = Promise.all(watches.map((watch) => watch.next()));
    await client.resetWatches();
    assert.deepEqual(
      (await waiting).map(({ done }) => done),
      [true, true],
    );
    assert.equal(store.watchCount, 0);
    assert.equal(client.watchCount, 0);
    assert.equal(client.pendingCount, 0);
  });
});
