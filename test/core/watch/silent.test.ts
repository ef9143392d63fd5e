import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Inventory } from '../../../src/pvusb/index.js';
import { Silent, silentDevices } from '../../../src/pvusb/watch/silent.js';

function host(driver?: string): Inventory {
  const intf = { id: '4-1:1.0', number: 0, classes: '08/06/50', ...(driver ? { driver } : {}) };
  const controller = { domid: 1, devid: 0, ports: [{ port: 1, busid: '4-1' }], strayPorts: [] };
  const free = { busid: '1-1', interfaces: [{ ...intf, id: '1-1:1.0' }] };
  return {
    controllers: [controller],
    devices: [{ busid: '4-1', interfaces: [intf] }, free],
  } as unknown as Inventory;
}

describe('a device whose claim nobody reports', () => {
  it('is one that is lent and has no driver', () => {
    assert.deepEqual(silentDevices(host()), ['4-1']);
    assert.deepEqual(silentDevices(host('usbfs')), []);
  });

  it('is looked at in pauses that double, until it has one', () => {
    const silent = new Silent();
    silent.seen(host('usbfs'), 0);
    assert.equal(silent.dueMs, undefined);
    let nowMs = 0;
    const pauses: number[] = [];
    silent.seen(host(), nowMs);
    for (let look = 0; look < 10; look++) {
      pauses.push(silent.dueMs! - nowMs);
      // A look that is made for something else changes nothing.
      silent.seen(host(), nowMs);
      assert.deepEqual(silent.due(silent.dueMs! - 1), []);
      nowMs = silent.dueMs!;
      assert.deepEqual(silent.due(nowMs), ['4-1']);
      silent.seen(host(), nowMs);
    }
    assert.deepEqual(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    silent.seen(host('usbfs'), nowMs);
    assert.equal(silent.dueMs, undefined);
  });
});
