import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimStore, StoreError, type StoreHandle } from '../../src/sim/store/index.js';
import type { Permission } from '../../src/xenstore/permissions.js';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const refused = (code: string) => (error: unknown) => error instanceof StoreError && error.code === code;

const entries = (text: string): Permission[] =>
  text.split(',').map((one) => ({
    domid: Number(one.slice(1)),
    access: ({ n: 'none', r: 'read', w: 'write', b: 'both' } as const)[one[0] as 'n' | 'r' | 'w' | 'b'],
  }));

/** A store with a guest 1, its directory, and nodes with various permissions. */
async function withGuest(): Promise<{ store: SimStore; dom0: StoreHandle; guest: StoreHandle }> {
  const store = new SimStore();
  store.introduce(1);
  store.introduce(2);
  const dom0 = store.handle(0);
  const nodes = {
    '/local/domain/1': 'n1',
    '/local/domain/2': 'n2',
    '/pub': 'r0',
    '/pub/closed': 'n0',
    '/pub/given': 'n1,r2',
    '/pub/both': 'n0,b1',
    '/priv': 'n0',
    '/priv/given': 'n1',
    '/in': 'w0',
  };
  for (const [path, permissions] of Object.entries(nodes)) {
    await dom0.write(path, '');
    await dom0.setPermissions(path, entries(permissions));
  }
  return { store, dom0, guest: store.handle(1) };
}

/** Collects a watch's events. */
async function collect(handle: StoreHandle, path: string): Promise<string[]> {
  const seen: string[] = [];
  await handle.watch(path, (changed) => seen.push(changed));
  await settled();
  seen.length = 0;
  return seen;
}

describe('SimStore permissions', () => {
  it('tell a guest about missing nodes only where it may read above', async () => {
    const { guest } = await withGuest();
    for (const path of [
      '/pub/closed',
      '/pub/closed/x',
      '/priv',
      '/priv/m',
      '/nope',
      '/',
      '/local/domain/2/x',
      '/in',
    ]) {
      await assert.rejects(guest.read(path), refused('EACCES'), path);
    }
    for (const path of ['/pub/m', '/pub/m/x', '/priv/given/m', 'x/y']) {
      assert.equal(await guest.read(path), undefined, path);
    }
    assert.equal(await guest.read('/pub/given'), '');
  });

  it('apply to writing, creating and removing', async () => {
    const { store, dom0, guest } = await withGuest();
    for (const path of ['/pub', '/pub/n', '/pub/closed', '/priv/n', '/nope/x', '/local/domain/2/x']) {
      await assert.rejects(guest.write(path, ''), refused('EACCES'), path);
      await assert.rejects(guest.mkdir(path), refused('EACCES'), path);
      await assert.rejects(guest.rm(path), refused('EACCES'), path);
    }
    await guest.rm('/priv/given');
    await guest.write('/pub/both/child', '');
    await guest.write('/in/a/b', '');
    await guest.write('own/deep', '');
    await dom0.write('/local/domain/1/by-dom0', '');
    const lines = store.dump();
    for (const line of [
      '/pub/both/child = ""   (n1,b1)',
      '/in/a = ""   (w1)',
      '/in/a/b = ""   (w1)',
      '/local/domain/1/own = ""   (n1)',
      '/local/domain/1/by-dom0 = ""   (n1)',
    ]) {
      assert.ok(lines.includes(`${line}\n`), line);
    }
  });

  it('are set by owners, and given away only by domain 0', async () => {
    const { dom0, guest } = await withGuest();
    await guest.setPermissions('/pub/given', entries('n1,r2,r7'));
    await assert.rejects(guest.setPermissions('/pub/given', entries('n2')), refused('EPERM'));
    await assert.rejects(guest.setPermissions('/pub/both', entries('n0,b1')), refused('EACCES'));
    await assert.rejects(guest.setPermissions('/pub/given', entries('n1,r2,r3,r4,r5,r6')), refused('ENOSPC'));
    await assert.rejects(dom0.setPermissions('/pub', entries('n7')), refused('ENOENT'));
    await assert.rejects(dom0.setPermissions('/pub', []), refused('EINVAL'));
    await dom0.setPermissions('/pub', entries('n0,r1,r2,r3,r4,r5,r6'));
  });
});

describe('SimStore watches', () => {
  it('fire for the node, below it, and exactly when an ancestor is removed', async () => {
    const dom0 = new SimStore().handle(0);
    const [root, top, leaf] = [
      await collect(dom0, '/'),
      await collect(dom0, '/t'),
      await collect(dom0, '/t/x/y'),
    ];
    await dom0.write('/t/x/y', '1');
    await dom0.mkdir('/t/x');
    await dom0.write('/t/x/other', '1');
    await dom0.rm('/t/x');
    await settled();
    assert.deepEqual(root, ['/t/x/y', '/t/x/other', '/t/x']);
    assert.deepEqual(top, root);
    assert.deepEqual(leaf, ['/t/x/y', '/t/x/y']);
  });

  it('fire once when set, and not after they were ended', async () => {
    const store = new SimStore();
    const seen: string[] = [];
    const end = await store.handle(0).watch('/missing', (path) => seen.push(path));
    assert.deepEqual(seen, []);
    await settled();
    assert.deepEqual(seen, ['/missing']);
    await end();
    await end();
    await store.handle(0).write('/missing', '');
    await settled();
    assert.deepEqual(seen, ['/missing']);
    assert.equal(store.watchCount, 0);
  });

  it('tell guests about what they may read, by its permissions before or after or by its parent’s', async () => {
    const { dom0, guest } = await withGuest();
    const [pub, priv, own] = [
      await collect(guest, '/pub'),
      await collect(guest, '/priv'),
      await collect(guest, 'x'),
    ];
    await dom0.write('/pub/closed', '1');
    await dom0.write('/priv/n', '1');
    await dom0.write('/priv/given', '1');
    await dom0.rm('/priv/given');
    await dom0.setPermissions('/pub', entries('n0'));
    await dom0.setPermissions('/pub', entries('r0'));
    await dom0.write('/local/domain/1/x/y', '1');
    await dom0.rm('/local/domain/1');
    await settled();
    assert.deepEqual(pub, ['/pub/closed', '/pub', '/pub']);
    assert.deepEqual(priv, ['/priv/given', '/priv/given']);
    assert.deepEqual(own, ['x/y', 'x']);
  });

  it('tell domain 0 about domains coming and going', async () => {
    const store = new SimStore();
    const came = await collect(store.handle(0), '@introduceDomain');
    const went = await collect(store.handle(0), '@releaseDomain');
    const hidden = await collect(store.handle(3), '@introduceDomain');
    store.introduce(5);
    store.introduce(5);
    store.release(5);
    await settled();
    assert.deepEqual([came, went, hidden], [['@introduceDomain'], ['@releaseDomain'], []]);
  });
});

describe('SimStore quotas', () => {
  it('limit the nodes, their size and the watches of a guest, but not of domain 0', async () => {
    const { dom0, guest } = await withGuest();
    await guest.write('v', 'x'.repeat(2015));
    await assert.rejects(guest.write('v', 'x'.repeat(2016)), refused('ENOSPC'));
    for (let at = 0; at < 531; at += 1) await guest.write(`d/${at}`, '');
    await assert.rejects(guest.write('d/531', ''), refused('ENOSPC'));
    let made = 0;
    const fill = async (): Promise<void> => {
      for (; made < 2000; made += 1) await guest.write(`e/${made % 50}/${made}`, '');
    };
    await assert.rejects(fill(), refused('ENOSPC'));
    // The guest's directory, two nodes given by domain 0, v, d and its children, e and its 50 directories.
    assert.equal(1 + 2 + 1 + 532 + 51 + made, 1000);
    await dom0.write('/local/domain/1/one-more', '');
    await dom0.setPermissions('/local/domain/1/e/0/0', entries('n0'));
    await assert.rejects(guest.write('f', ''), refused('ENOSPC'));
    await guest.rm('d');
    await guest.write('f', '');
    for (let at = 0; at < 129; at += 1) await guest.watch('w', () => {});
    await assert.rejects(
      guest.watch('w', () => {}),
      refused('E2BIG'),
    );
  });

  it('can be set, and end with the domain', async () => {
    const store = new SimStore({ quotas: { nodes: 2 } });
    store.load('/local/domain/1 = ""   (n1)\n');
    await store.handle(1).write('a', '');
    await assert.rejects(store.handle(1).write('b', ''), refused('ENOSPC'));
    store.release(1);
    store.load('/local/domain/1 = ""   (n1)\n');
    await store.handle(1).write('b', '');
  });
});

describe('the death of a domain', () => {
  it('removes what it owns, children first, and tells @releaseDomain last', async () => {
    const { store, dom0 } = await withGuest();
    await dom0.write('/pub/given/deep', '');
    await dom0.setPermissions('/pub/given/deep', entries('n0'));
    const deep: string[] = [];
    await dom0.watch('/pub/given/deep', (path) => deep.push(path));
    const seen = await collect(dom0, '/');
    await dom0.watch('@releaseDomain', (path) => seen.push(path));
    await settled();
    deep.length = seen.length = 0;
    store.release(1);
    await settled();
    assert.deepEqual(seen, ['/local/domain/1', '/pub/given', '/priv/given', '@releaseDomain']);
    assert.deepEqual(deep, ['/pub/given/deep']);
    assert.doesNotMatch(store.dump(), /\(n1\b/);
    assert.equal(await dom0.read('/pub/both'), '');
  });

  it('does not pass on the access that other nodes gave it to the next domain with its number', async () => {
    const { store, dom0, guest } = await withGuest();
    assert.equal(await guest.read('/pub/both'), '');
    store.release(1);
    store.introduce(1);
    await assert.rejects(guest.read('/pub/both'), refused('EACCES'));
    assert.match(store.dump(), /\/pub\/both = "" {3}\(n0,b1\)/);
    await dom0.write('/pub/both/child', '');
    await assert.rejects(guest.read('/pub/both/child'), refused('EACCES'));
    await dom0.setPermissions('/pub/both', entries('n0,b1'));
    assert.equal(await guest.read('/pub/both'), '');
  });

  it('is not needed for an entry to be void: a domain that appears only later does not have it either', async () => {
    const { store, dom0 } = await withGuest();
    await dom0.setPermissions('/pub/closed', entries('n0,r9'));
    store.introduce(9);
    await assert.rejects(store.handle(9).read('/pub/closed'), refused('EACCES'));
  });

  it('leaves nothing that an actor could bring back by writing to it', async () => {
    const { store, dom0 } = await withGuest();
    await dom0.write('/other', '1');
    store.release(1);
    assert.equal(await dom0.writeExisting('/other', '2'), true);
    assert.equal(await dom0.read('/other'), '2');
    assert.equal(await dom0.writeExisting('/local/domain/1', ''), false);
    assert.equal(await dom0.read('/local/domain/1'), undefined);
  });
});
