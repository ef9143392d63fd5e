import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Answers } from '../../src/backend/answers.js';
import { JOURNAL_BYTES, Journal } from '../../src/backend/journal.js';
import { BackRing, RingOffset, URB_RING } from '../../src/usbif/index.js';

/** Stops a backend right before one of its writes to shared memory. */
class Killed extends Error {}

/** Runs `act` with shared memory that stops after so many atomic stores. */
function untilKilled(stores: number, act: () => void): void {
  const { store } = Atomics;
  let left = stores;
  Object.assign(Atomics, {
    store: (...args: Parameters<typeof store>) => {
      if (left-- === 0) throw new Killed();
      return store(...args);
    },
  });
  try {
    act();
  } catch (error) {
    if (!(error instanceof Killed)) throw error;
  } finally {
    Object.assign(Atomics, { store });
  }
}

describe('the journal', () => {
  it('tells exactly which requests have no answer, wherever the backend was killed', () => {
    const action = fc.constantFrom('take', 'answer', 'show');
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), fc.nat(200), (actions, stores) => {
        const page = new Uint8Array(4096);
        const memory = new Uint8Array(JOURNAL_BYTES);
        const journal = new Journal(memory);
        journal.begin({ urbRef: 8, connectionRef: 9, eventChannel: 1 });
        const view = new Int32Array(page.buffer);
        const ring = new BackRing(page, URB_RING);
        const answers = new Answers(ring, journal);
        const open: { slot: number; id: number }[] = [];
        const free = Array.from({ length: 16 }, (_, slot) => slot);
        let [sent, begun] = [0, 0];
        untilKilled(stores, () => {
          for (const what of actions) {
            if (what === 'take' && free.length > 0) {
              view[RingOffset.entries / 4 + (sent & 15) * 37] = sent;
              view[RingOffset.requestProducer / 4] = ++sent;
              const slot = free.pop()!;
              const id = ring.take()[0]! & 0xffff;
              journal.open(slot, id);
              begun++;
              open.push({ slot, id });
            }
            const oldest = open[0];
            if (what === 'answer' && oldest) {
              answers.add(oldest.slot, {
                id: oldest.id,
                status: 0,
                actualLength: 0,
                startFrame: 0,
                errorCount: 0,
              });
              open.shift();
            }
            if (what === 'show') answers.show((slot) => free.push(slot));
          }
        });
        // What the guest sees: every answer up to rsp_prod, in order of the requests here.
        const shown = view[RingOffset.responseProducer / 4]!;
        const left = new Journal(memory).left(BackRing.responseProducerOf(page))!;
        assert.ok(left, 'the index is one that the journal knows');
        assert.equal(left.responseProducer, shown);
        const wanted = Array.from({ length: begun - shown }, (_, at) => shown + at);
        assert.deepEqual(
          left.open.map(({ id }) => id).toSorted((a, b) => a - b),
          wanted,
        );
        assert.equal(new Set(left.open.map(({ slot }) => slot)).size, left.open.length);
      }),
    );
  });

  it('refuses an index that the guest has written itself', () => {
    const journal = new Journal(new Uint8Array(JOURNAL_BYTES));
    journal.begin({ urbRef: 8, connectionRef: 9, eventChannel: 1 });
    assert.equal(journal.left(3), undefined);
  });

  it('is of one connection only, until that ends', () => {
    const memory = new Uint8Array(JOURNAL_BYTES);
    const connected = { urbRef: 0xffff_fff0, connectionRef: 9, eventChannel: 1 };
    assert.equal(new Journal(memory).isOf(connected), false);
    new Journal(memory).begin(connected);
    assert.equal(new Journal(memory).isOf(connected), true);
    assert.equal(new Journal(memory).isOf({ ...connected, urbRef: 7 }), false);
    new Journal(memory).end();
    assert.equal(new Journal(memory).isOf(connected), false);
  });

  it('keeps every port apart', () => {
    const journal = new Journal(new Uint8Array(JOURNAL_BYTES));
    const record = (port: number) => ({
      speed: (port % 3) + 1,
      address: port * 4,
      configuration: port,
      settings: new Map([[port, 255 - port]]),
      fingerprint: 0xffff_0000 + port,
    });
    for (let port = 1; port <= 31; port++) journal.setPort(port, record(port));
    for (let port = 1; port <= 31; port++) assert.deepEqual(journal.port(port), record(port));
  });
});
