/** Following a host that pvusb's own backend serves. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attachDevice, detachDevice, followHost, type Inventory, observe } from '../../src/pvusb/index.js';
import { replay } from '../support/replay.js';
import { operated } from './stage.js';

describe('following a host that is served by pvusb', () => {
  it('reports what the guest makes of a device, and the end of the backend', async () => {
    const { served, host, isAlive } = await operated();
    await using _ = served;
    const stop = new AbortController();
    let replayed: Inventory | undefined;
    const ended = followHost(host, {
      signal: stop.signal,
      onStart: (inventory) => {
        replayed = inventory;
      },
      onChange: (change) => {
        replayed = replay(replayed!, change);
      },
    });
    const until = async (holds: () => boolean): Promise<void> => {
      while (!holds()) await new Promise((resolve) => setImmediate(resolve));
    };
    const stateOf = (): number | undefined => replayed?.backend?.ports[0]?.state;
    await until(() => replayed !== undefined);
    await attachDevice(host, { domain: 'u1', device: '4-1' }, { watchMs: 0 });
    await until(() => stateOf() === 2);

    const guest = await served.guest(1);
    await guest.waitFor(1, true);
    await guest.enumerate(1);
    await until(() => stateOf() === 4);
    assert.deepEqual(replayed, await observe(host, { rings: true }));

    await detachDevice(host, { device: '4-1' });
    await until(() => replayed?.backend?.ports.length === 0);
    isAlive.value = false;
    await served.client.rm('/libxl/pvusb/backend');
    await until(() => replayed?.backend === undefined);
    stop.abort();
    await ended;
  });
});
