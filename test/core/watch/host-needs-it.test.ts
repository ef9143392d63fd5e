/** A guest that comes back does not get what the host needs by now. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../src/async/index.js';
import type { HostUse } from '../../../src/hostuse/index.js';
import {
  addController,
  attachDevice,
  type Host,
  type HostUsesReader,
  listDevices,
} from '../../../src/pvusb/index.js';
import { labWorld, rebootDomain } from '../../../src/sim/index.js';
import { controllerOf, type Lab, openSimulated } from '../support/test-host.js';
import { Watching } from '../support/watching.js';

/** A disk that the host has mounted, as long as `isMounted` says so. */
function mountedWhile(isMounted: () => boolean): HostUsesReader {
  return {
    usesOf: async (devices, options) => {
      assert.equal(options?.thorough, true, 'an attach looks thoroughly');
      if (!isMounted()) return [];
      return devices.map(({ busid }): HostUse => {
        const sentence = 'sdb1 on it is mounted at /media';
        return { busid, use: 'mounted', name: 'sdb1', of: '/media', sentence, grade: 'refuse' };
      });
    },
  };
}

/** A guest that has 4-1 and reboots, and the watch on it. */
async function rebooting(lab: Lab, host: Host): Promise<Watching> {
  const domain = labWorld().domains[0]!;
  await addController(lab.host, { domain: 'u1' });
  await attachDevice(lab.host, { domain: 'u1', device: '4-1' });
  const watch = new Watching(host, { toolstackMs: 200 });
  await watch.until('watching');
  await rebootDomain(lab.sim, {
    domain,
    domid: 9,
    controllers: [controllerOf({ domid: 9, devid: 0, portCount: 8 })],
  });
  return watch;
}

test('a guest gets its device again as soon as the host does without it', async () => {
  await using lab = await openSimulated();
  let looks = 0;
  const uses = mountedWhile(() => ++looks < 3);
  await using watch = await rebooting(lab, { ...lab.host, uses });
  const { attachment } = await watch.until('returned');
  assert.deepEqual([attachment.busid, attachment.domid, looks], ['4-1', 9, 3]);
});

test('a guest that the host does not give it back to is told about', async () => {
  await using lab = await openSimulated();
  // Two minutes pass in a moment.
  const clock = { ...lab.host.clock, nowMs: () => 200 * systemClock.nowMs() };
  await using watch = await rebooting(lab, { ...lab.host, clock, uses: mountedWhile(() => true) });
  const { busid, why } = await watch.until('not-returned');
  assert.deepEqual([busid, why], ['4-1', 'The host needs 4-1: sdb1 on it is mounted at /media.']);
  assert.deepEqual(await listDevices(lab.host), []);
  assert.equal(lab.driver('4-1:1.0'), 'usb-storage');
});
