import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Budget } from '../../src/backend/budget.js';

describe('the budget', () => {
  it('is shared in turns, never exceeded, and nobody waits for ever', () => {
    const ask = fc.record({ domid: fc.nat(3), bytes: fc.nat(60_000), keep: fc.nat(5) });
    fc.assert(
      fc.property(fc.array(ask, { maxLength: 80 }), (asks) => {
        const budget = new Budget({ perGuest: 100_000, inAll: 150_000 });
        const running: { domid: number; bytes: number }[] = [];
        let granted = 0;
        const began = (domid: number, bytes: number): void => {
          running.push({ domid, bytes });
          granted++;
        };
        for (const { domid, bytes, keep } of asks) {
          if (budget.take(domid, bytes, () => began(domid, bytes))) began(domid, bytes);
          // One of each guest may always go.
          const guests = new Set(running.map((one) => one.domid)).size;
          assert.ok(budget.total <= 150_000 + guests * 64_096);
          while (running.length > keep) {
            const first = running.shift()!;
            budget.give(first.domid, first.bytes);
          }
        }
        for (let first = running.shift(); first; first = running.shift())
          budget.give(first.domid, first.bytes);
        assert.equal(granted, asks.length);
        assert.equal(budget.total, 0);
      }),
    );
  });

  it('gives one guest its turn between two of another', () => {
    const budget = new Budget({ perGuest: 1, inAll: 1 });
    const order: number[] = [];
    assert.equal(
      budget.take(1, 10, () => undefined),
      true,
    );
    for (const domid of [1, 1, 2]) {
      const go = (): void => {
        order.push(domid);
        setImmediate(() => budget.give(domid, 10));
      };
      if (budget.take(domid, 10, go)) go();
    }
    budget.give(1, 10);
    assert.deepEqual(order, [2, 1], 'a guest that has nothing in flight never waits');
  });
});
