/** The daemon: what it does by itself, and what it tells. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Clock } from '../../src/async/index.js';
import { Daemon } from '../../src/daemon/daemon.js';
import { attachDevice, listDevices } from '../../src/pvusb/index.js';
import { qemuWorld } from '../../src/sim/index.js';
import { DONGLE } from '../core/support/dongle.js';
import { type Lab, openSimulated } from '../core/support/test-host.js';
import { ROOT, Running } from './running.js';

const world = qemuWorld({ usbback: true });

async function places(lab: Lab): Promise<string[]> {
  return (await listDevices(lab.host)).map(({ busid, domid, state }) => `${busid} ${domid} ${state}`).sort();
}

describe('the daemon', () => {
  test('gives a plugged device to its guest, frees its port when it is pulled out, and gives it again', async () => {
    await using lab = await openSimulated({ world });
    await using running = new Running(lab, 'auto u1 serial=S1');
    await running.ready();
    await lab.sim.plug(DONGLE);
    await running.times('assigned', 1);
    await lab.sim.idle();
    assert.deepEqual(await places(lab), ['1-8 1 in-use']);
    await lab.sim.unplug('1-8');
    await running.times('unplugged', 1);
    assert.deepEqual(await places(lab), []);
    await lab.sim.plug(DONGLE);
    await running.times('assigned', 2);
    await lab.sim.idle();
    assert.deepEqual(await places(lab), ['1-8 1 in-use']);
    const whats = running.records.map(({ asked }) => `${asked.what} by ${asked.by.name}: ${asked.why}`);
    assert.deepEqual(whats.slice(0, 3), [
      'attach by daemon: assignments.conf:1:1 assigns 1-8',
      'detach by daemon: the device was pulled out',
      'attach by daemon: assignments.conf:1:1 assigns 1-8',
    ]);
  });

  test('another device in the socket of one that was lent stays with the host', async () => {
    await using lab = await openSimulated({ world });
    await using running = new Running(lab);
    await running.ready();
    const stick = lab.sim.usb.devices.find(({ busid }) => busid === '4-1')!.spec;
    for (const domain of ['u1', 'u2']) {
      const { result } = await attachDevice(lab.host, { domain, device: '4-1' });
      const drivers = lab.natural.get('4-1:1.0');
      await lab.sim.unplug('4-1');
      await lab.sim.plug({ ...DONGLE, busid: '4-1', interfaces: [{ number: 0, classes: '08/06/50' }] });
      await running.times('unplugged', domain === 'u1' ? 1 : 2);
      await running.until(() => lab.driver('4-1:1.0') === drivers);
      assert.deepEqual(await places(lab), [], `controller of type ${result.type}`);
      await lab.assertSound();
      await lab.sim.unplug('4-1');
      await lab.sim.plug(stick);
    }
  });

  test('rules that change are followed at once', async () => {
    await using lab = await openSimulated({ world });
    await using running = new Running(lab);
    await running.ready();
    running.rules.set('auto u2 serial=LAB0001');
    await running.times('assigned', 1);
    await lab.sim.idle();
    assert.deepEqual(await places(lab), ['4-1 2 in-use']);
  });

  test('a client that is there before the host has been read gets its answer', async () => {
    await using lab = await openSimulated({ world });
    await using running = new Running(lab);
    assert.equal(running.daemon.state, 'starting');
    assert.ok((await running.daemon.inventory()).devices.length > 0);
    await running.ready();
  });

  test('a client does not wait for ever when xenstored never answers', async () => {
    const clock: Clock = { nowMs: () => 0, sleep: async () => undefined };
    const open = (signal: AbortSignal) =>
      new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const daemon = new Daemon({ open, record: () => undefined, clock });
    const ends = new AbortController();
    const ended = daemon.run(ends.signal);
    await assert.rejects(daemon.inventory(), {
      code: 'xenstore-unreachable',
      message: 'The daemon is still waiting for an answer from xenstored.',
    });
    ends.abort();
    await ended;
  });

  test('says that xenstored is gone, and goes on when it is back', async () => {
    await using lab = await openSimulated({ world });
    await using running = new Running(lab, 'auto u1 serial=S1');
    await running.ready();
    running.loseXenstore();
    await running.until(() => running.daemon.state === 'unreachable');
    await assert.rejects(running.daemon.inventory(), { code: 'connection-lost' });
    await lab.sim.plug(DONGLE);
    running.isXenstoreGone = false;
    await running.times('assigned', 1);
    assert.equal(running.daemon.state, 'ready');
    assert.ok(running.events.some(({ event }) => event === 'renewed'));
  });

  test('asks, and does what it is told: once for each plug', async () => {
    await using lab = await openSimulated({ world });
    await using running = new Running(lab, 'ask u1 serial=S1');
    await running.ready();
    await lab.sim.plug(DONGLE);
    await running.until(() => running.daemon.requests.length === 1);
    const [asks] = running.daemon.requests;
    assert.equal(asks?.guest, 'u1');
    await running.daemon.answer(`${asks?.id}`, false, { by: ROOT });
    assert.equal(running.daemon.requests.length, 0);
    await lab.sim.unplug('1-8');
    await lab.sim.plug(DONGLE);
    await running.until(() => running.daemon.requests.length === 1);
    await running.daemon.answer(running.daemon.requests[0]!.id, true, { by: ROOT });
    await lab.sim.idle();
    assert.deepEqual(await places(lab), ['1-8 1 in-use']);
    await running.until(() => running.daemon.requests.length === 0);
    await assert.rejects(running.daemon.answer('0', true, { by: ROOT }), { code: 'no-such-request' });
  });

  test('a word is about the device that was there when it was asked for: not about another in its socket', async () => {
    await using lab = await openSimulated({ world });
    await using running = new Running(lab, 'ask u1 id=1111:0001');
    await running.ready();
    await lab.sim.plug(DONGLE);
    await running.until(() => running.daemon.requests.length === 1);
    const { id } = running.daemon.requests[0]!;
    // The answer comes before the daemon has looked.
    const answered = lab.sim
      .unplug('1-8')
      .then(() => lab.sim.plug({ ...DONGLE, serial: 'S2' }))
      .then(() => running.daemon.answer(id, true, { by: ROOT }));
    await assert.rejects(answered, { code: 'no-such-request' });
    await lab.sim.idle();
    assert.deepEqual(await places(lab), []);
    await running.until(() => running.daemon.requests.some((request) => request.id !== id));
  });

  test('an operation of a door sees what others have just done, reads little, and is told step by step', async () => {
    await using lab = await openSimulated({ world });
    await using running = new Running(lab);
    await running.ready();
    await attachDevice(lab.host, { domain: 'u1', device: '4-1' });
    const there = await running.daemon.inventory();
    assert.ok(there.controllers.some(({ ports }) => ports.some(({ busid }) => busid === '4-1')));
    const asked = { what: 'attach', by: ROOT, request: {}, operation: 'mine' };
    await assert.rejects(
      running.daemon.operate(asked, (host, options) =>
        attachDevice(host, { domain: 'u2', device: '4-1' }, options),
      ),
      { code: 'already-attached' },
    );
    await running.daemon.operate(asked, (host, options) =>
      attachDevice(host, { domain: 'u2', device: '3-4' }, options),
    );
    const steps = running.events.filter((event) => event.event === 'step' && event.operation === 'mine');
    assert.ok(steps.length >= 4);
    assert.ok(running.events.some((event) => event.event === 'operation' && event.phase === 'done'));
  });

  test('writes down what was done, even if it was called a dry run', async () => {
    await using lab = await openSimulated({ world });
    await using running = new Running(lab);
    await running.ready();
    const asked = { what: 'attach', by: ROOT, request: {}, dryRun: true };
    const attach = (dryRun: boolean) =>
      running.daemon.operate(asked, (host, options) =>
        attachDevice(host, { domain: 'u1', device: '3-4' }, { ...options, dryRun }),
      );
    await attach(true);
    assert.equal(running.records.length, 0);
    await attach(false);
    assert.equal(running.records.length, 1);
    assert.ok(running.records[0]!.steps.length > 0);
  });
});
