/** A process that gets no time: what it did not see in time may have been there. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { attachDevice, detachDevice, type Host } from '../../../src/pvusb/index.js';
import { qemuWorld } from '../../../src/sim/index.js';
import { type Lab, openSimulated } from '../support/test-host.js';

const U2 = 2;
const PORT = '/local/domain/0/backend/qusb/2/0/port/1';

/** Its first look at a QEMU once the port holds this takes all the time there is. */
async function starve(lab: Lab, held: string, operation: (host: Host) => Promise<unknown>): Promise<void> {
  const { qemu } = lab.host;
  let isStarved = false;
  const starved: typeof qemu = async (domid, call) => {
    if (isStarved || (await lab.read(PORT)) !== held) return qemu!(domid, call);
    isStarved = true;
    const { signal } = call;
    await once(signal!, 'abort');
    throw signal!.reason;
  };
  await operation({ ...lab.host, qemu: starved });
  assert.ok(isStarved, 'QEMU was not asked');
}

test('an attach and a detach are judged by a look that begins when time is up', async () => {
  await using lab = await openSimulated({ world: qemuWorld({ usbback: false }) });
  lab.beHasty();
  await starve(lab, '4-1', (host) => attachDevice(host, { domain: U2, device: '4-1' }));
  await lab.assertSound();
  await starve(lab, '', (host) => detachDevice(host, { device: '4-1' }));
  assert.equal(lab.driver('4-1:1.0'), 'usb-storage');
  await lab.assertSound();
});
