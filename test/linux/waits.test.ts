/** How long waiting for the next event keeps the event loop from its turn. */
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Library } from '../../src/linux/library.js';
import { Waits } from '../../src/linux/waits.js';

const BLOCKED = new Int32Array(new SharedArrayBuffer(4));

/** A C library whose poll(2) has an event for the first descriptor every `everyMs`, as a mouse that is moved has. */
function busyLibrary(everyMs: number, bytes: Uint8Array) {
  const view = new DataView(bytes.buffer);
  let tell: ((...values: number[]) => void) | undefined;
  const library = {
    func: () => () => {
      Atomics.wait(BLOCKED, 0, 0, everyMs);
      view.setInt16(6, view.getInt16(4, true), true);
      return 1;
    },
    poll: (_fd: number, _events: unknown, called: (...values: number[]) => void) => {
      tell = called;
      return { close: () => undefined };
    },
  };
  return { library: library as unknown as Library, event: () => tell?.(1) };
}

describe('waiting for the next event', () => {
  it('gives the event loop its turn soon, also where the next one is always just about to come', async () => {
    const bytes = new Uint8Array(64);
    const { library, event } = busyLibrary(8, bytes);
    const waits = new Waits(library, { address: 0, bytes });
    const fd = openSync('/dev/null', 'r');
    let events = 0;
    const end = waits.add(fd, { readable: true }, () => events++, assert.fail);
    event();
    await nextTurn();
    const atOnce = events;
    await nextTurn();
    assert.ok(atOnce > 1, 'the next event was not waited for');
    assert.ok(events < 20, `${events} events of 8 ms in two turns`);
    end();
    closeSync(fd);
  });
});
