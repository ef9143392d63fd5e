/** A watch that changes nothing reports what it would do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addController, attachDevice, type Progress } from '../../../src/pvusb/index.js';
import { qemuWorld, rebootDomain } from '../../../src/sim/index.js';
import { compareWorlds } from '../support/invariants.js';
import { controllerOf, openSimulated } from '../support/test-host.js';
import { Watching } from '../support/watching.js';

const world = qemuWorld({ usbback: true });
const domain = world.domains.find(({ name }) => name === 'u1')!;
const controllers = [controllerOf({ domid: 9, devid: 0, portCount: 8 })];

test('a dry watch plans the return of a device, once, and gives nothing', async () => {
  await using lab = await openSimulated({ world });
  await attachDevice(lab.host, { domain: 'u1', device: '4-1' });
  await using watch = new Watching(lab.host, { dryRun: true });
  await watch.until('watching');
  await rebootDomain(lab.sim, { domain, domid: 9, controllers });
  const before = await lab.snapshot();
  const { plan } = await watch.until('planned');
  assert.equal(plan.title, 'attach 4-1 to port 1 of controller 0 of u1 (domain 9)');
  assert.ok(plan.steps.some(({ undo = [] }) => undo.length > 0));
  assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
  assert.deepEqual(
    watch.events.filter(({ event }) => event === 'returned'),
    [],
  );
});

test('a dry watch plans the revival of a device that its dead QEMU left without drivers', async () => {
  await using lab = await openSimulated({ world });
  const p1 = world.domains.find(({ name }) => name === 'p1')!;
  await addController(lab.host, { domain: 'p1', type: 'qusb' });
  await attachDevice(lab.host, { domain: 'p1', device: '4-1' });
  await using watch = new Watching(lab.host, { dryRun: true });
  await watch.until('watching');
  await lab.sim.qemus.get(p1.domid)!.kill();
  await rebootDomain(lab.sim, { domain: p1, domid: 9, controllers });
  const { plan } = await watch.until('planned');
  assert.equal(plan.title, 'find drivers for 4-1');
  assert.equal(lab.driver('4-1:1.0'), undefined);
});

test('a dry watch plans the repair of what a dead guest has left behind, and leaves it', async () => {
  await using lab = await openSimulated({ world });
  lab.beHasty();
  await attachDevice(lab.host, { domain: 'u1', device: '3-6' });
  await using watch = new Watching(lab.host, { dryRun: true, toolstackMs: 200 });
  await watch.until('watching');
  await lab.sim.killDomain(1, { leaveRecords: true });
  const before = await lab.snapshot();
  const { plan } = await watch.until('planned');
  assert.match(plan.title, /^remove controller 0 of domain 1$/);
  assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
});

test('a watch reports the steps of what it does', async () => {
  await using lab = await openSimulated({ world });
  await attachDevice(lab.host, { domain: 'u1', device: '4-1' });
  const steps: Progress[] = [];
  await using watch = new Watching(lab.host, { onStep: (progress) => steps.push(progress) });
  await watch.until('watching');
  await rebootDomain(lab.sim, { domain, domid: 9, controllers });
  await watch.until('returned');
  assert.ok(steps.some(({ step, phase }) => step.why.startsWith('claim port 1') && phase === 'done'));
});
