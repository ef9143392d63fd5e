/** What one guest causes leaves the loop to the others. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '../../src/async/index.js';
import { Blocks, plainMemory } from '../../src/backend/blocks.js';
import { Budget } from '../../src/backend/budget.js';
import { Controller } from '../../src/backend/controller.js';
import { JOURNAL_BYTES, Journal } from '../../src/backend/journal.js';
import { SimUsbGuest } from '../../src/sim/frontend/index.js';
import { BackRing, REQUEST_WORDS, URB_RING } from '../../src/usbif/index.js';
import { RingOffset } from '../../src/usbif/layout.js';

describe('a guest that sends a request for each answer at once', () => {
  it('takes turns with the others', async () => {
    const REQUESTS = 5000;
    const { hcd } = new SimUsbGuest(8);
    const ring = new Int32Array(hcd.rings.buffer);
    let sent = 0;
    const send = (): void => {
      const shown = BackRing.responseProducerOf(hcd.urbRing);
      for (; sent < REQUESTS && sent - shown < URB_RING.entryCount; sent++)
        hcd.sendRaw(new Uint32Array(REQUEST_WORDS).fill(0xffff_ffff));
      ring[RingOffset.responseEvent / 4] = shown + 1;
    };
    const { start, close } = hcd.events.bind();
    const controller = new Controller({
      domid: 1,
      portCount: 8,
      version: 2,
      memory: hcd.memory,
      channel: { start, close, notify: send },
      journal: new Journal(new Uint8Array(JOURNAL_BYTES)),
      blocks: new Blocks(plainMemory),
      budget: new Budget(),
      rules: [],
      clock: systemClock,
      listener: { broken: assert.fail, portChanged: () => undefined, log: () => undefined },
    });
    send();
    controller.start();
    let turns = 0;
    for (let before = sent; sent < REQUESTS; before = sent) {
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(sent - before <= 200, `${sent - before} requests in one turn`);
      turns++;
    }
    assert.ok(turns >= REQUESTS / 200);
    await controller.close();
  });
});

describe('a guest that takes back a request', () => {
  it('does not keep the backend busy', async () => {
    const { hcd } = new SimUsbGuest(8);
    const ring = new Int32Array(hcd.rings.buffer);
    const produce = (count: number): void => {
      ring[RingOffset.requestProducer / 4] = count;
    };
    const { start, close } = hcd.events.bind();
    let refused = 0;
    let shows = 0;
    const controller = new Controller({
      domid: 1,
      portCount: 8,
      version: 2,
      memory: hcd.memory,
      channel: {
        start,
        close,
        notify: () => {
          produce(URB_RING.entryCount);
          shows++;
        },
      },
      journal: new Journal(new Uint8Array(JOURNAL_BYTES)),
      blocks: new Blocks(plainMemory),
      budget: new Budget(),
      rules: [],
      clock: systemClock,
      listener: {
        broken: assert.fail,
        portChanged: () => undefined,
        // One more is there when the last of the ring is refused, and gone when that is shown.
        log: () => {
          if (++refused === URB_RING.entryCount) produce(URB_RING.entryCount + 1);
          assert.ok(refused <= URB_RING.entryCount);
        },
      },
    });
    for (let at = 0; at < URB_RING.entryCount; at++) hcd.sendRaw(new Uint32Array(REQUEST_WORDS).fill(at));
    ring[RingOffset.responseEvent / 4] = 1;
    controller.start();
    assert.deepEqual([refused, shows], [URB_RING.entryCount, 1]);
    await controller.close();
  });
});
