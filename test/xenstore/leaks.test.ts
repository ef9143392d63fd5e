/** What a client leaves in a daemon: nothing, as the daemon's limits show; and what a daemon's end does to a client. */
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { kitOrSkip } from '../xenstored/fetch.js';
import { fails, settled, subjectsBy } from './support.js';

const { skip } = await kitOrSkip();
// The test runner does not count a skipped group; it does count a skipped test.
if (skip !== false) test('what the client leaves in the real daemons', { skip });

const subjects = subjectsBy(skip);

/** More than any daemon allows a guest: 128 and 100 watches, 10 transactions. */
const TOO_MANY = 300;

for (const [name, start, why] of subjects) {
  describe(`an abort on ${name}`, { skip: why }, () => {
    it('leaves no watch and no transaction: a guest would soon have too many', async () => {
      const subject = await start();
      const guest = await subject.openGuest(34);
      for (let i = 0; i < TOO_MANY; i++) {
        const giveUp = new AbortController();
        const { signal } = giveUp;
        const outcomes = Promise.allSettled([
          guest.watch('w', { signal }),
          guest.transaction((view) => view.write('t', '1', { signal }), { signal }),
        ]);
        for (let turns = i % 7; turns > 0; turns--) await settled();
        giveUp.abort();
        const [watching] = await outcomes;
        if (watching.status === 'fulfilled') await watching.value.close();
        await guest.read('w');
      }
      const watch = await guest.watch('w');
      await watch.next();
      await watch.close();
      await guest.transaction((view) => view.write('t', 'last'));
      assert.equal(await guest.read('t'), 'last');
      assert.equal(guest.pendingCount, 0);
      assert.equal(guest.watchCount, 0);
      guest.close();
      await subject.stop();
    });

    it('is not needed for a body that throws: it leaves no transaction either', async () => {
      const subject = await start();
      const guest = await subject.openGuest(35);
      for (let i = 0; i < 30; i++) {
        const failed = guest.transaction(async (view) => {
          await view.write('t', '1');
          throw new Error('changed my mind');
        });
        await assert.rejects(failed, /changed my mind/);
      }
      await guest.transaction((view) => view.write('t', 'last'));
      guest.close();
      await subject.stop();
    });
  });
}

for (const [name, start, why] of subjects.slice(1)) {
  describe(`the death of ${name}`, { skip: why }, () => {
    it('fails every pending call and watch, and every later call', async () => {
      const subject = await start();
      const client = await subject.open();
      const watch = await client.watch('/t');
      await watch.next();
      const waiting = watch.next();
      const transaction = client.transaction(async (view) => {
        await view.write('/t/a', '1');
        await subject.stop();
        await view.read('/t/a');
      });
      const outcomes = await Promise.allSettled([waiting, transaction]);
      for (const [at, operation] of ['watch', 'read'].entries()) {
        const outcome = outcomes[at]!;
        assert.ok(outcome.status === 'rejected' && fails('connection-lost', operation)(outcome.reason));
      }
      for (const call of [
        client.read('/a'),
        client.directory('/a'),
        client.watch('/a'),
        client.control(['check']),
      ]) {
        await assert.rejects(call, fails('connection-lost'));
      }
      await watch.close();
      assert.equal(client.closed, true);
      assert.equal(client.pendingCount, 0);
      assert.equal(client.watchCount, 0);
      client.close();
    });
  });
}
