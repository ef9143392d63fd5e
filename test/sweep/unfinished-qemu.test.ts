/** What the sweep found about controllers that a QEMU serves, one by one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  attachDevice,
  type ControllerType,
  detachDevice,
  doctor,
  removeController,
} from '../../src/pvusb/index.js';
import type { SimHost } from '../../src/sim/index.js';
import type { Fault } from './faults.js';
import { FaultyHost } from './faulty-host.js';
import { invariantsOf } from './invariants-of.js';
import { QEMU_OPERATIONS, type Swept } from './operations.js';
import { ending } from './settle.js';
import { undisturbed } from './trial.js';
import { unharmed } from './unharmed.js';
import { smallWorld } from './worlds.js';

const AT = { domain: 1, devid: 0, port: 1 };

/** Runs an operation that a fault strikes at the last call with this name; returns the code that it fails with. */
async function struck(
  sim: SimHost,
  operation: Swept,
  name: RegExp,
  fault: Fault,
): Promise<string | undefined> {
  const { calls } = await undisturbed(operation);
  const at = calls.findLast((call) => name.test(call.name))!.index;
  const faulty = new FaultyHost(sim, operation.stage, { at, fault });
  const { trouble } = faulty;
  const end = await ending(operation.run(faulty.host), faulty.clock, () => trouble.activity);
  await trouble.settle(fault.kind === 'silence' ? fault.end : 'back');
  faulty.close();
  await sim.idle();
  return end.how === 'failed' ? (end.error as { readonly code?: string }).code : end.how;
}

function operationOf(name: string): Swept {
  return QEMU_OPERATIONS.find((operation) => operation.name === name)!;
}

function driversOf(sim: SimHost, busid: string): (string | undefined)[] {
  return sim.usb.device(busid)!.interfaces.map(({ driver }) => driver);
}

describe('a detach from a silent QEMU', () => {
  for (const end of ['back', 'killed'] as const) {
    it(`continues when QEMU is ${end}, even if nobody has recorded the drivers`, async () => {
      const detaching = operationOf('detach 3-6 (qusb)');
      const sim = await detaching.world();
      const freeing = /^write .*\/port\/1$/;
      assert.equal(await struck(sim, detaching, freeing, { kind: 'silence', end }), 'qemu-timeout');
      await unharmed(sim, (host) => detachDevice(host, AT));
      assert.deepEqual(driversOf(sim, '3-6'), ['snd-usb-audio', 'snd-usb-audio']);
      assert.deepEqual(await invariantsOf(sim), []);
      await sim.close();
    });
  }
});

describe('a port that another toolstack takes the moment it is free', () => {
  it('does not prevent the detach from finishing: QEMU has let go of what it had', async () => {
    const detaching = operationOf('detach 3-6 (qusb)');
    const sim = await detaching.world();
    const end = await struck(sim, detaching, /^open 1$/, { kind: 'deed', deed: 'rival-takes-port' });
    assert.equal(end, 'done');
    assert.deepEqual(driversOf(sim, '3-6'), ['snd-usb-audio', 'snd-usb-audio']);
    assert.deepEqual(sim.qemus.get(1)!.held, ['1-1']);
    await sim.close();
  });
});

describe('a device without a driver that is replugged', () => {
  it('is found by the doctor: QEMU has it in the port, but not open', async () => {
    const sim = await smallWorld({ type: 'devicemodel', lent: { 1: '3-8' } });
    const { spec } = sim.usb.device('3-8')!;
    const { address: _, ...again } = spec;
    await sim.unplug('3-8');
    await sim.plug(again);
    const { findings } = await unharmed(sim, (host) => doctor(host, { fix: true, settleMs: 0 }));
    assert.deepEqual(
      findings.map(({ finding }) => finding),
      // The saved configuration names the address that it had.
      ['port-without-binding', 'config-differs'],
    );
    await sim.idle();
    assert.deepEqual(await invariantsOf(sim), []);
    await unharmed(sim, (host) => attachDevice(host, { domain: 1, device: '3-8' }));
    assert.deepEqual(sim.qemus.get(1)!.held, ['3-8']);
    await sim.close();
  });
});

describe('a guest that does not let go of an emulated controller', () => {
  it('prevents its removal; destroyed, it is found until the guest has let go', async () => {
    const sim = await smallWorld({ type: 'devicemodel', lent: { 1: '3-6' } });
    sim.qemus.get(1)!.guestEjects = false;
    const remove = (destroy: boolean) =>
      unharmed(sim, (host) => removeController(host, { domain: 1, devid: 0, destroy }));
    await assert.rejects(remove(false), { code: 'state-timeout' });
    assert.deepEqual(driversOf(sim, '3-6'), ['snd-usb-audio', 'snd-usb-audio']);
    await remove(true);
    assert.deepEqual(await invariantsOf(sim), ['I3: QEMU 1 emulates controller 0, which has no record']);
    const { findings, failures } = await unharmed(sim, (host) => doctor(host, { fix: true, settleMs: 0 }));
    assert.deepEqual(
      findings.map(({ finding }) => finding),
      ['unrecorded-controller'],
    );
    assert.equal(failures.length, 1);
    await sim.close();
  });
});

describe('a QEMU that dies with devices of other programs', () => {
  for (const type of ['qusb', 'devicemodel'] satisfies ControllerType[]) {
    it(`of type ${type}: the doctor gives them back, and says that it is dead`, async () => {
      const sim = await smallWorld({ type, lent: { 1: '3-7', 2: '2-1' } });
      await sim.qemus.get(1)!.kill();
      const { findings } = await unharmed(sim, (host) => doctor(host, { fix: true, settleMs: 0 }));
      assert.deepEqual(
        findings.map(({ finding }) => finding),
        ['dead-qemu'],
      );
      assert.deepEqual(
        [...driversOf(sim, '3-7'), ...driversOf(sim, '2-1')],
        ['cdc_ether', 'cdc_ether', 'usbhid'],
      );
      await assert.rejects(
        unharmed(sim, (host) => attachDevice(host, { domain: 1, device: '2-1' })),
        { code: 'qemu-dead' },
      );
      await sim.close();
    });
  }
});
