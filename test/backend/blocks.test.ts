/** The memory of transfers. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Blocks } from '../../src/backend/blocks.js';

it('is allocated once, however many transfers of all guests were in flight together', () => {
  let allocated = 0;
  const blocks = new Blocks({
    allocate(bytes) {
      allocated++;
      return { address: 0, bytes: new Uint8Array(bytes) };
    },
  });
  for (let time = 0; time < 3; time++) {
    const taken = Array.from({ length: 100 }, () => blocks.take(4096));
    for (const block of taken) blocks.give(block);
  }
  assert.equal(allocated, 100);
});
