import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EarlyLook } from '../../src/linux/early-look.js';

/** The looks at so many transfers, of which those find something that `ends` says. */
function looks(early: EarlyLook, transfers: number, ends: (transfer: number) => boolean): number {
  let count = 0;
  for (let at = 0; at < transfers; at++) {
    if (!early.isDue()) continue;
    count++;
    early.looked(ends(at));
  }
  return count;
}

describe('looking for the end of a transfer that was just started', () => {
  it('goes on where it finds something, if not each time', () => {
    assert.equal(
      looks(new EarlyLook(), 300, () => true),
      300,
    );
    assert.equal(
      looks(new EarlyLook(), 300, (at) => at % 3 === 0),
      300,
    );
  });

  it('is rare where it never does', () => {
    const early = new EarlyLook();
    assert.equal(
      looks(early, 640, () => false),
      10,
    );
    assert.equal(
      looks(early, 64, () => true),
      64,
      'the first find makes it frequent',
    );
    assert.ok(looks(early, 6400, () => false) < 120);
  });
});
