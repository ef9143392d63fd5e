import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { it } from 'node:test';
import { unlessInterrupted } from '../../src/linux/libc.js';

const { EINTR, ENOMEM } = constants.errno;

it('a call that a signal has interrupted is made again, others are not', () => {
  const calling = (...results: readonly number[]) => {
    const left = [...results];
    return { left, result: unlessInterrupted(() => left.shift()!) };
  };
  assert.deepEqual(calling(-EINTR, -EINTR, 4096, 1), { left: [1], result: 4096 });
  assert.deepEqual(calling(-EINTR, -ENOMEM, 4096), { left: [4096], result: -ENOMEM });
  assert.deepEqual(calling(0, 1), { left: [1], result: 0 });
});

it('a call that is always interrupted fails in the end', () => {
  assert.equal(
    unlessInterrupted(() => -EINTR),
    -EINTR,
  );
});
