/** A watch that follows rules. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  attachDevice,
  detachDevice,
  listDevices,
  type WatchEvent,
  type WatchOptions,
} from '../../../src/pvusb/index.js';
import type { RuleFile } from '../../../src/rules/index.js';
import { type DeviceSpec, qemuWorld } from '../../../src/sim/index.js';
import { kitOrSkip } from '../../xenstored/fetch.js';
import { DONGLE } from '../support/dongle.js';
import { type Lab, openOnDaemon, openSimulated } from '../support/test-host.js';
import { Watching } from '../support/watching.js';

const world = qemuWorld({ usbback: true });

/** The same thing, waiting for new firmware. */
const BOOTLOADER: DeviceSpec = {
  ...DONGLE,
  vendorId: '0483',
  productId: 'df11',
  serial: 'BOOT',
  interfaces: [{ number: 0, classes: 'fe/01/02' }],
};

/** A watch on a host with rules, and how often it has told each kind of event. */
async function watching(lab: Lab, text: string, options: WatchOptions = {}) {
  const files: RuleFile[] = [{ path: 'assignments.conf', text }];
  const rules = { root: '/', read: async () => [...files], change: async () => undefined };
  const watch = new Watching({ ...lab.host, rules }, { ...options, lookEveryMs: 50, wishMs: 50 });
  await watch.until('watching');
  return {
    rule(line: string) {
      files[0] = { path: 'assignments.conf', text: line };
    },
    /** Waits until an event has been told so many times. */
    async times(kind: WatchEvent['event'], count: number): Promise<void> {
      await watch.times(kind, count);
      await lab.sim.idle();
    },
    events: watch.events,
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  };
}

async function places(lab: Lab): Promise<string[]> {
  return (await listDevices(lab.host)).map(({ busid, domid, state }) => `${busid} ${domid} ${state}`);
}

describe('a watch gives guests what rules assign', () => {
  test('when it is plugged in; again after a replug; not after somebody has detached it, until it is replugged', async () => {
    await using lab = await openSimulated({ world });
    await using watch = await watching(lab, 'auto u1 id=1111:0001 serial=S1');
    await lab.sim.plug(DONGLE);
    await watch.times('assigned', 1);
    await watch.times('attached', 1);
    assert.deepEqual(await places(lab), ['1-8 1 in-use']);
    await detachDevice(lab.host, { device: '1-8' });
    await watch.times('detached', 1);
    // What is told later was seen later: the device stays off.
    await attachDevice(lab.host, { domain: 'u2', device: '4-1' });
    await watch.times('attached', 2);
    assert.deepEqual(await places(lab), ['4-1 2 in-use']);
    await lab.sim.unplug('1-8');
    await lab.sim.plug(DONGLE);
    await watch.times('assigned', 2);
    assert.deepEqual((await places(lab)).sort(), ['1-8 1 in-use', '4-1 2 in-use']);
  });

  test('when the guest starts, and when the rules change', async () => {
    await using lab = await openSimulated({ world });
    await lab.sim.plug(DONGLE);
    await using watch = await watching(lab, 'auto later serial=S1');
    await lab.sim.addDomain({ domid: 7, name: 'later' });
    await watch.times('assigned', 1);
    assert.deepEqual(await places(lab), ['1-8 7 in-use']);
    watch.rule('auto u1 id=46f4:0001 serial=LAB0001');
    await watch.times('assigned', 2);
    assert.deepEqual((await places(lab)).sort(), ['1-8 7 in-use', '4-1 1 in-use']);
  });

  test('what is refused is told once, with the reason', async () => {
    await using lab = await openSimulated({ world });
    await using watch = await watching(lab, 'auto u1 serial=S1 controller=0 port=9');
    lab.beHasty();
    await lab.sim.plug(DONGLE);
    await watch.times('not-assigned', 1);
    const [event] = watch.events.filter(({ event: kind }) => kind === 'not-assigned');
    assert.match(
      JSON.stringify(event),
      /assignments\.conf:1:1: Controller 0 of u1 \(domain 1\) has ports 1 to 8, not 9\./,
    );
    watch.rule('auto u1 serial=S1');
    await watch.times('assigned', 1);
    assert.equal(watch.events.filter(({ event: kind }) => kind === 'not-assigned').length, 1);
  });

  test('a line that cannot be read is told once, and nothing is given until it is corrected', async () => {
    await using lab = await openSimulated({ world });
    await using watch = await watching(lab, 'auto u1 serial=S1\nnonsense');
    await watch.times('trouble', 1);
    await lab.sim.plug(DONGLE);
    await attachDevice(lab.host, { domain: 'u2', device: '4-1' });
    await watch.times('attached', 1);
    assert.deepEqual(await places(lab), ['4-1 2 in-use']);
    watch.rule('auto u1 serial=S1');
    await watch.times('assigned', 1);
    assert.equal(watch.events.filter(({ event }) => event === 'trouble').length, 1);
  });

  test('in a dry run it only tells the plan', async () => {
    await using lab = await openSimulated({ world });
    await using watch = await watching(lab, 'auto u1 serial=S1', { dryRun: true });
    await lab.sim.plug(DONGLE);
    await watch.times('planned', 1);
    assert.deepEqual(await places(lab), []);
  });
});

for (const [store, open, options] of [
  ['the simulated store', openSimulated, {}],
  ["Debian's C xenstored", openOnDaemon('c'), await kitOrSkip()],
] as const) {
  describe(`a device that comes back as its bootloader, on ${store}`, options, () => {
    test('is followed, and so is its way back', async () => {
      await using lab = await open({ world });
      await using watch = await watching(lab, 'auto p1 serial=S1', { freesPorts: true });
      await lab.sim.plug(DONGLE);
      await watch.times('assigned', 1);
      await lab.sim.unplug('1-8');
      await lab.sim.plug(BOOTLOADER);
      await watch.times('assigned', 2);
      assert.deepEqual(await places(lab), ['1-8 3 in-use']);
      await lab.sim.unplug('1-8');
      await lab.sim.plug(DONGLE);
      await watch.times('assigned', 3);
      assert.deepEqual(await places(lab), ['1-8 3 in-use']);
    });
  });
}
