/** The same client on the simulated store and on both real daemons. */
import assert from 'node:assert/strict';
import { after, before, describe, it, test } from 'node:test';
import type { XenstoreClient } from '../../src/xenstore/index.js';
import { kitOrSkip } from '../xenstored/fetch.js';
import { fails, type Subject, subjectsBy } from './support.js';

const { skip } = await kitOrSkip();
// The test runner does not count a skipped group; it does count a skipped test.
if (skip !== false) test('the client on the real daemons', { skip });

const subjects = subjectsBy(skip);

for (const [name, start, why] of subjects) {
  describe(`the client on ${name}`, { skip: why }, () => {
    let subject: Subject;
    let client: XenstoreClient;
    before(async () => {
      subject = await start();
      client = await subject.open();
    });
    after(async () => {
      assert.equal(client.pendingCount, 0);
      assert.equal(client.watchCount, 0);
      client.close();
      await subject.stop();
    });

    it('reads what it wrote, byte for byte, including an empty value and one with NULs', async () => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      await client.write('/t/bytes', bytes);
      assert.deepEqual(await client.readBytes('/t/bytes'), bytes);
      await client.write('/t/text', 'é\0ß');
      assert.equal(await client.read('/t/text'), 'é\0ß');
      await client.mkdir('/t/empty');
      assert.equal(await client.read('/t/empty'), '');
      await client.rm('/t/text');
      await client.rm('/t/text');
      await client.rm('/none/at/all');
      assert.equal(await client.read('/t/text'), undefined);
    });

    it('carries out what is asked in one turn in order', async () => {
      const values: Promise<string | undefined>[] = [];
      for (let i = 0; i < 1000; i++) {
        client.write('/t/counter', String(i)).catch(() => {});
        values.push(client.read('/t/counter'));
      }
      assert.deepEqual(
        await Promise.all(values),
        values.map((_, i) => String(i)),
      );
    });

    it('reads and lists many nodes in waves, the missing ones as undefined', async () => {
      const paths = Array.from({ length: 700 }, (_, i) => `/t/many/${i}/x`);
      await Promise.all(paths.filter((_, i) => i % 7 !== 0).map((path) => client.write(path, path)));
      const values = await client.readMany(paths);
      assert.deepEqual(
        values,
        paths.map((path, i) => (i % 7 === 0 ? undefined : path)),
      );
      const lists = await client.directoryMany(['/t/many', '/t/none', '/t/many/1']);
      assert.equal(lists[0]?.length, 600);
      assert.deepEqual(lists.slice(1), [undefined, ['x']]);
      assert.deepEqual(await client.readMany([]), []);
    });

    it('sets and reads permissions', async () => {
      await client.write('/t/p', '');
      const wanted = [
        { domid: 0, access: 'none' },
        { domid: 5, access: 'read' },
        { domid: 6, access: 'both' },
      ] as const;
      await client.setPermissions('/t/p', wanted);
      assert.deepEqual(await client.permissions('/t/p'), wanted);
      assert.equal(await client.permissions('/t/none'), undefined);
    });

    it('lists a directory of 5000 children', async () => {
      const names = Array.from({ length: 5000 }, (_, i) => `child-${i}`);
      await client.transaction(async (view) => {
        await Promise.all(names.map((child) => view.write(`/t/large/${child}`, '')));
      });
      assert.deepEqual(new Set(await client.directory('/t/large')), new Set(names));
      const both = await client.directoryMany(['/t/large', '/t/p']);
      assert.deepEqual([both[0]?.length, both[1]?.length], [5000, 0]);
      const inside = await client.transaction((view) => view.directory('/t/large'));
      assert.equal(inside?.length, 5000);
    });

    it('lists a large directory that changes meanwhile as it was at one moment', async () => {
      const writer = await subject.open();
      let stop = false;
      const writing = (async () => {
        for (let i = 0; i < 12 && !stop; i++) {
          // Never both present, never both gone.
          await writer.transaction(async (view) => {
            await view.rm(`/t/large/odd-${i}`);
            await view.write(`/t/large/odd-${i + 1}`, '');
          });
        }
      })();
      await writer.write('/t/large/odd-0', '');
      for (let i = 0; i < 5; i++) {
        const names = await client.directory('/t/large');
        assert.equal(names?.length, new Set(names).size);
        assert.ok(names!.filter((child) => child.startsWith('odd-')).length <= 2);
        assert.equal(names!.filter((child) => child.startsWith('child-')).length, 5000);
      }
      stop = true;
      await writing;
      writer.close();
      await client.rm('/t/large');
    });

    it('is told about changes, and about domains that come and go', async () => {
      const watches = [
        await client.watch('/t/w'),
        await client.watch('@introduceDomain'),
        await client.watch('@releaseDomain'),
        await client.watch('relative'),
      ];
      const [node, came, went, relative] = watches;
      assert.deepEqual(await Promise.all(watches.map(async (watch) => (await watch.next()).value)), [
        ['/t/w'],
        ['@introduceDomain'],
        ['@releaseDomain'],
        ['relative'],
      ]);
      const other = await subject.open();
      await other.write('/t/w/x', '1');
      await other.write('/local/domain/0/relative/y', '1');
      assert.deepEqual((await node!.next()).value, ['/t/w/x']);
      assert.deepEqual((await relative!.next()).value, ['relative/y']);
      const guest = await subject.openGuest(31);
      assert.deepEqual((await came!.next()).value, ['@introduceDomain']);
      assert.equal(await client.isIntroduced(31), true);
      await subject.killGuest(31);
      assert.deepEqual((await went!.next()).value, ['@releaseDomain']);
      assert.equal(await client.isIntroduced(31), false);
      guest.close();
      other.close();
      for (const watch of watches) await watch.close();
    });

    it('serialises many writers: each transaction sees what the others did', async () => {
      const clients = await Promise.all([subject.open(), subject.open(), subject.open(), subject.open()]);
      await client.write('/t/sum', '0');
      await Promise.all(
        clients.map(async (one) => {
          for (let i = 0; i < 10; i++) {
            await one.transaction(async (view) => {
              await view.write('/t/sum', String(Number(await view.read('/t/sum')) + 1));
            });
          }
          assert.equal(one.pendingCount, 0);
          one.close();
        }),
      );
      assert.equal(await client.read('/t/sum'), '40');
    });

    it('leaves nothing of a transaction whose body throws', async () => {
      const failed = client.transaction(async (view) => {
        await view.write('/t/undone', '1');
        throw new Error('changed my mind');
      });
      await assert.rejects(failed, /changed my mind/);
      assert.equal(await client.read('/t/undone'), undefined);
    });

    it('repeats a transaction whose view another writer has made inconsistent', async () => {
      const other = await subject.open();
      for (const tear of ['/t/torn/a/b', '/t/torn/a', '/t/torn']) {
        await client.write('/t/torn/a/b', '1');
        let runs = 0;
        await client.transaction(async (view) => {
          await view.directory('/t/torn');
          await view.directory('/t/torn/a');
          if (++runs === 1) await other.rm(tear);
          await view.write('/t/torn/mark', tear);
          await view.rm('/t/torn/a');
        });
        assert.equal(await client.read('/t/torn/mark'), tear);
        assert.deepEqual(await client.directory('/t/torn'), ['mark']);
      }
      other.close();
    });

    it('gives back what an aborted call, watch or transaction took', async () => {
      for (const turns of [0, 1, 2, 3, 5, 8]) {
        const giveUp = new AbortController();
        const outcomes = Promise.allSettled([
          client.read('/t/a', giveUp),
          client.watch('/t/a', giveUp),
          client.transaction(async (view) => {
            await view.write('/t/aborted', '1', giveUp);
            await view.read('/t/a', giveUp);
          }, giveUp),
        ]);
        for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
        giveUp.abort();
        for (const outcome of await outcomes) {
          if (outcome.status === 'fulfilled' && outcome.value && typeof outcome.value === 'object') {
            await outcome.value.close();
          }
        }
        // After whatever was sent for it, and what is sent when the answer to that has come.
        for (let i = 0; i < 4; i++) await client.read('/t/a');
        assert.equal(client.pendingCount, 0);
        assert.equal(client.watchCount, 0);
      }
    });

    it('says what a guest may not do, and where', async () => {
      const guest = await subject.openGuest(32);
      await guest.write('own', '1');
      assert.equal(await client.read('/local/domain/32/own'), '1');
      await client.write('/t/secret', '1');
      await assert.rejects(guest.read('/t/secret'), fails('EACCES', 'read', '/t/secret'));
      await assert.rejects(guest.write('/t/new', ''), fails('EACCES', 'write', '/t/new'));
      await assert.rejects(
        guest.introduce({ domid: 33, frame: 1, eventChannel: 1 }),
        fails('EACCES', 'introduce'),
      );
      const full = (async () => {
        for (let i = 0; i < 2000; i++) await guest.write(`n/${i % 100}/${i}`, '');
      })();
      await assert.rejects(full, fails(subject.kind === 'o' ? 'EQUOTA' : 'ENOSPC', 'write'));
      await subject.killGuest(32);
      await assert.rejects(guest.read('own'), fails('connection-lost', 'read', 'own'));
    });

    it('knows homes, and refuses to release domain 0', async () => {
      assert.equal(await client.domainPath(7), '/local/domain/7');
      assert.equal(await client.isIntroduced(0), true);
      await assert.rejects(client.release(0), fails('EINVAL', 'release'));
      assert.equal(await client.read('/local/domain/0/domid'), '0');
      await assert.rejects(client.resume(99), (error) => fails('ENOENT')(error) || fails('EINVAL')(error));
    });
  });
}
