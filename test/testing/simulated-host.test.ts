/** A simulated host in a program's own tests, from `pvusb/testing`. */
import assert from 'node:assert/strict';
import { channel } from 'node:diagnostics_channel';
import { test } from 'node:test';
import {
  attachDevice,
  attachProblem,
  detachDevice,
  deviceAt,
  findDevice,
  isPvusbError,
  listControllers,
  observe,
  type Progress,
  usedBy,
} from '../../src/pvusb/index.js';
import { labWorld, qemuWorld } from '../../src/sim/index.js';
import { simulatedHost } from '../../src/testing/index.js';

test('a program is tested on an in-memory host, which ends with its block', async () => {
  await using host = await simulatedHost(labWorld());
  const before = await observe(host);
  const stick = findDevice(before, '46f4:0001:LAB0001');
  assert.equal(attachProblem(before, stick), undefined);
  assert.deepEqual(usedBy(before, stick), { places: [], drivers: ['usb-storage'] });
  await attachDevice(host, { domain: 'u1', device: stick.busid });
  const [controller] = await listControllers(host, { domain: 'u1' });
  assert.equal(controller?.ports[0]?.busid, '4-1');
  const after = await observe(host);
  assert.equal(attachProblem(after, deviceAt(after, stick.busid)!)?.code, 'already-attached');
  assert.deepEqual(
    usedBy(after, stick).places.map(({ port }) => port.port),
    [1],
  );
  await host.sim.unplug('4-1');
  await detachDevice(host, { device: '4-1' });
});

test('its QEMU can be asked, and can die', async () => {
  await using host = await simulatedHost(qemuWorld({ usbback: false }));
  await attachDevice(host, { domain: 'u2', device: '4-1' });
  await host.sim.qemus.get(2)!.kill();
  await assert.rejects(attachDevice(host, { domain: 'u2', device: '1-1' }), (error) =>
    isPvusbError(error, 'qemu-dead'),
  );
});

test('every step in the process is reported on a diagnostics channel', async () => {
  await using host = await simulatedHost(labWorld());
  const told: string[] = [];
  const listen = (message: unknown): void => {
    const { step, phase } = message as Progress;
    if (phase === 'done') told.push(step.act.do);
  };
  channel('pvusb:step').subscribe(listen);
  try {
    await attachDevice(host, { domain: 'u1', device: '4-1' });
  } finally {
    channel('pvusb:step').unsubscribe(listen);
  }
  assert.deepEqual(told, ['commit', 'await', 'commit', 'verify', 'take', 'bind', 'commit']);
});
