import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '../../src/async/index.js';
import { SimStore, type StoreRequest } from '../../src/sim/store/index.js';
import { isXenstoreError, XenstoreClient } from '../../src/xenstore/index.js';
import { MessageType } from '../../src/xenstore/wire.js';
import { fails, settled } from './support.js';

interface Scene {
  readonly store: SimStore;
  readonly client: XenstoreClient;
  /** The pauses that were asked for, in ms; they take no time. */
  readonly pauses: number[];
  /** How often each type of request was made. */
  count(type: number): number;
}

function scene(): Scene {
  const store = new SimStore();
  const pauses: number[] = [];
  const requests: StoreRequest[] = [];
  store.onRequest = (request) => requests.push(request);
  const clock: Clock = {
    nowMs: () => 0,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      pauses.push(ms);
    },
  };
  const client = new XenstoreClient(store.connect(0), { clock, random: () => 0.5 });
  return { store, client, pauses, count: (type) => requests.filter((one) => one.type === type).length };
}

function assertNothingOpen({ store, client }: Scene): void {
  assert.equal(store.openTransactions, 0);
  assert.equal(client.pendingCount, 0);
}

describe('a transaction', () => {
  it('shows its writes to nobody before its end, then all at once, and gives what its body gave', async () => {
    const lab = scene();
    const result = await lab.client.transaction(async (view) => {
      await view.write('/t/a', '1');
      await view.setPermissions('/t/a', [{ domid: 0, access: 'read' }]);
      assert.equal(await view.read('/t/a'), '1');
      assert.equal(await lab.client.read('/t/a'), undefined);
      return 'done';
    });
    assert.equal(result, 'done');
    assert.equal(await lab.client.read('/t/a'), '1');
    assert.deepEqual(lab.pauses, []);
    assertNothingOpen(lab);
  });

  it('is repeated when another writer interfered', async () => {
    const lab = scene();
    const other = lab.store.handle(0);
    await other.write('/t/n', '0');
    let runs = 0;
    await lab.client.transaction(async (view) => {
      const n = Number(await view.read('/t/n'));
      if (++runs <= 3) await other.write('/t/n', String(n + 10));
      await view.write('/t/n', String(n + 1));
    });
    assert.equal(runs, 4);
    assert.equal(await lab.client.read('/t/n'), '31');
    assert.deepEqual(lab.pauses, [2, 4]);
    assertNothingOpen(lab);
  });

  it('fails with too-many-retries after the requested number of attempts', async () => {
    const lab = scene();
    lab.store.intercept = ({ type }) => (type === MessageType.transactionEnd ? { error: 'EAGAIN' } : 'pass');
    let runs = 0;
    const body = async () => void runs++;
    await assert.rejects(
      lab.client.transaction(body, { attempts: 3 }),
      fails('too-many-retries', 'transaction'),
    );
    assert.equal(runs, 3);
    await assert.rejects(lab.client.transaction(body), fails('too-many-retries'));
    assert.equal(runs, 103);
    assert.ok(lab.pauses.every((ms) => ms <= 50));
  });

  it('whose body throws leaves nothing behind, and fails as the body did', async () => {
    const lab = scene();
    const reason = new Error('changed my mind');
    const failed = lab.client.transaction(async (view) => {
      await view.write('/t/a', '1');
      throw reason;
    });
    await assert.rejects(failed, (error) => error === reason);
    assert.equal(await lab.client.read('/t/a'), undefined);
    assert.equal(lab.count(MessageType.transactionStart), 1);
    assertNothingOpen(lab);
  });

  it('takes EIO and EINVAL as another writer at first, and literally later', async () => {
    for (const errno of ['EIO', 'EINVAL'] as const) {
      const lab = scene();
      let refusals = 2;
      lab.store.intercept = ({ type }) =>
        type === MessageType.rm && refusals-- > 0 ? { error: errno } : 'pass';
      await lab.client.transaction((view) => view.rm('/t'));
      refusals = 1000;
      await assert.rejects(
        lab.client.transaction((view) => view.rm('/t')),
        fails(errno, 'rm', '/t'),
      );
      assert.ok(lab.count(MessageType.transactionStart) < 10);
      assertNothingOpen(lab);
    }
  });

  it('is repeated when the daemon answers EIO because the view is inconsistent', async () => {
    const lab = scene();
    const other = lab.store.handle(0);
    await other.write('/t/a/b', '');
    let runs = 0;
    await lab.client.transaction(async (view) => {
      await view.directory('/t/a');
      if (++runs === 1) await other.rm('/t/a/b');
      await view.rm('/t/a');
    });
    assert.equal(runs, 2);
    assert.equal(await lab.client.directory('/t').then((names) => names?.length), 0);
    assertNothingOpen(lab);
  });

  it('fails with the errno of its start or its end', async () => {
    const lab = scene();
    for (const type of [MessageType.transactionStart, MessageType.transactionEnd]) {
      lab.store.intercept = (request) => (request.type === type ? { error: 'ENOSPC' } : 'pass');
      const operation = type === MessageType.transactionStart ? 'transactionStart' : 'transactionEnd';
      await assert.rejects(
        lab.client.transaction(async () => {}),
        fails('ENOSPC', operation),
      );
    }
  });

  it('can be many at a time on one connection', async () => {
    const lab = scene();
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        lab.client.transaction(async (view) => {
          await view.write(`/t${i}/a`, '1');
        }),
      ),
    );
    assert.equal(
      (await lab.client.readMany(Array.from({ length: 50 }, (_, i) => `/t${i}/a`))).join(''),
      '1'.repeat(50),
    );
    assertNothingOpen(lab);
  });
});

describe('an abort of a transaction', () => {
  const moments: Readonly<Record<string, number>> = {
    'while it starts': MessageType.transactionStart,
    'in its body': MessageType.write,
    'while it ends': MessageType.transactionEnd,
  };
  for (const [moment, type] of Object.entries(moments)) {
    it(`${moment} rejects at once, though the daemon does not answer, and leaves none open`, async () => {
      const lab = scene();
      lab.store.intercept = (request) => (request.type === type ? 'hold' : 'pass');
      const giveUp = new AbortController();
      const reason = new Error('given up');
      const running = lab.client.transaction((view) => view.write('/t/a', '1', giveUp), giveUp);
      await settled();
      assert.equal(lab.count(type), 1);
      giveUp.abort(reason);
      await assert.rejects(running, (error) => error === reason);
      delete lab.store.intercept;
      for (let i = 0; i < 3; i++) {
        await settled();
        lab.store.releaseHeld();
      }
      await settled();
      assertNothingOpen(lab);
      // The commit was on its way: it may have happened, and here it has.
      const expected = type === MessageType.transactionEnd ? '1' : undefined;
      assert.equal(await lab.client.read('/t/a'), expected);
    });
  }

  it('that the body does not notice writes nothing', async () => {
    const lab = scene();
    const giveUp = new AbortController();
    const running = lab.client.transaction(async (view) => {
      await view.write('/t/a', '1');
      giveUp.abort(new Error('given up'));
    }, giveUp);
    await assert.rejects(running, /given up/);
    await settled();
    assertNothingOpen(lab);
    assert.equal(await lab.client.read('/t/a'), undefined);
  });

  it('after a full window leaves none open either', async () => {
    const lab = scene();
    lab.store.intercept = ({ type }) => (type === MessageType.read ? 'hold' : 'pass');
    const giveUp = new AbortController();
    let busy: Promise<unknown> | undefined;
    const running = lab.client.transaction(async (view) => {
      await view.write('/t/a', '1');
      busy = lab.client.readMany(Array.from({ length: 300 }, () => '/t'));
      giveUp.abort(new Error('given up'));
    }, giveUp);
    await assert.rejects(running, /given up/);
    delete lab.store.intercept;
    for (let i = 0; i < 4; i++) {
      await settled();
      lab.store.releaseHeld();
    }
    await busy;
    await settled();
    assertNothingOpen(lab);
  });

  it('between two attempts ends the pause', async () => {
    const lab = scene();
    lab.store.intercept = ({ type }) => (type === MessageType.transactionEnd ? { error: 'EAGAIN' } : 'pass');
    const giveUp = new AbortController();
    let runs = 0;
    const running = lab.client.transaction(async () => {
      if (++runs === 2) queueMicrotask(() => giveUp.abort(new Error('given up')));
    }, giveUp);
    await assert.rejects(running, /given up/);
    assert.equal(runs, 2);
  });
});

describe('a lost connection', () => {
  it('fails a transaction wherever it is, and nothing of it stays in the daemon', async () => {
    for (const type of [MessageType.transactionStart, MessageType.write, MessageType.transactionEnd]) {
      const lab = scene();
      lab.store.intercept = (request) => (request.type === type ? 'drop-connection' : 'pass');
      await assert.rejects(
        lab.client.transaction((view) => view.write('/t/a', '1')),
        (error) => isXenstoreError(error, 'connection-lost'),
      );
      assertNothingOpen(lab);
      assert.equal(await lab.store.handle(0).read('/t/a'), undefined);
    }
  });

  it('during the commit leaves it open whether it happened', async () => {
    const lab = scene();
    lab.store.intercept = ({ type }) => (type === MessageType.transactionEnd ? 'drop-after' : 'pass');
    await assert.rejects(
      lab.client.transaction((view) => view.write('/t/a', '1')),
      fails('connection-lost', 'transactionEnd'),
    );
    assert.equal(await lab.store.handle(0).read('/t/a'), '1');
    assertNothingOpen(lab);
  });
});
