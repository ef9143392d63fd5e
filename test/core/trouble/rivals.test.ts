/** Another toolstack, another process or another device interferes at an exact moment. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Mutex } from '../../../src/async/index.js';
import {
  attachDevice,
  detachDevice,
  doctor,
  type Host,
  type HostSysfs,
  isPvusbError,
  removeController,
} from '../../../src/pvusb/index.js';
import type { DeviceSpec, World } from '../../../src/sim/index.js';
import { Rival } from '../../sweep/rival.js';
import { checkInvariants, compareWorlds } from '../support/invariants.js';
import { controllerOf, failure, type Lab, labWith, openSimulated } from '../support/test-host.js';

const portOf = (domid: number, port: number) => `/local/domain/0/backend/vusb/${domid}/0/port/${port}`;

/** Controller 0 of both guests; what is in 4-1 has two interfaces, each with a driver of its own. */
function twoGuests(): World {
  const world = labWith(controllerOf({ domid: 1, devid: 0 }), controllerOf({ domid: 2, devid: 0 }));
  const interfaces = [
    { number: 0, classes: '03/01/01' },
    { number: 1, classes: '08/06/50' },
  ];
  const devices = world.devices.map((device) =>
    device.busid === '4-1' ? { ...device, interfaces } : device,
  );
  return { ...world, devices };
}

/** A moment: before or after a call of sysfs. */
type Moment = `${'before' | 'after'} ${'bind' | 'unbind'} ${string} ${string}`;

/** The host, on which something is done once, at the given moment. */
function actingAt(host: Host, moment: Moment, act: () => Promise<unknown>): Host {
  const { sysfs } = host;
  let done = false;
  const at = async (now: Moment): Promise<void> => {
    if (done || now !== moment) return;
    done = true;
    await act();
  };
  const change =
    (call: 'bind' | 'unbind'): HostSysfs['bind'] =>
    async (binding, options) => {
      const what = `${call} ${binding.interface} ${binding.driver}` as const;
      await at(`before ${what}`);
      await sysfs[call](binding, options);
      await at(`after ${what}`);
    };
  const acting: HostSysfs = {
    devices: (options) => sysfs.devices(options),
    hasDriver: (driver, options) => sysfs.hasDriver(driver, options),
    stateOf: (intf, options) => sysfs.stateOf(intf, options),
    probe: (intf, options) => sysfs.probe(intf, options),
    bind: change('bind'),
    unbind: change('unbind'),
  };
  return { ...host, sysfs: acting };
}

/** As another process sees it. */
async function asOther<T>(lab: Lab, run: (host: Host) => Promise<T>): Promise<T> {
  const xenstore = await lab.connect();
  try {
    return await run({ ...lab.host, xenstore });
  } finally {
    xenstore.close();
  }
}

function record(lab: Lab, intf: string): Promise<string | undefined> {
  const [busid = ''] = intf.split(':');
  return lab.read(`/libxl/usbback/${busid}/${intf.replace(':', '@').replace('.', '_')}/driver_path`);
}

describe('a device that another has taken meanwhile', () => {
  test('stays with the guest that xl has given it to while its controller is removed', async () => {
    await using lab = await openSimulated({ world: twoGuests() });
    await lab.attach(1, '3-7');
    await lab.attach(1, '4-1');
    const rival = new Rival(lab.sim);
    const host = actingAt(lab.host, 'before unbind 3-7:1.0 usbback', async () => {
      await rival.detach('4-1');
      await rival.attach({ domid: 2, devid: 0 }, 1, '4-1');
    });
    await removeController(host, { domain: 1, devid: 0 });
    assert.equal(await lab.read('/libxl/1/device/vusb/0'), undefined);
    assert.equal(await lab.read(portOf(2, 1)), '4-1');
    assert.deepEqual(lab.driversAt('4-1'), ['usbback', 'usbback']);
    assert.equal(await record(lab, '4-1:1.0'), '/sys/bus/usb/drivers/usbhid');
    assert.equal(await record(lab, '4-1:1.1'), '/sys/bus/usb/drivers/usb-storage');
    await lab.assertSound();
  });

  for (const last of ['4-1:1.0 usbhid', '4-1:1.1 usb-storage'] as const) {
    test(`keeps its records when another process attaches it after ${last} is back`, async () => {
      await using lab = await openSimulated({ world: twoGuests() });
      await lab.attach(1, '4-1');
      let place = '';
      const host = actingAt(lab.host, `after bind ${last}`, async () => {
        const { result } = await asOther(lab, (other) => attachDevice(other, { domain: 2, device: '4-1' }));
        place = `${result.domid}/${result.devid}/${result.port}`;
      });
      // Whoever lost it may say so.
      await detachDevice(host, { device: '4-1' }).catch((error: unknown) => {
        if (!isPvusbError(error) || error.code !== 'driver-not-restored') throw error;
      });
      assert.equal(place, '2/0/1');
      assert.equal(await lab.read(portOf(1, 1)), '');
      assert.equal(await lab.read(portOf(2, 1)), '4-1');
      assert.deepEqual(lab.driversAt('4-1'), ['usbback', 'usbback']);
      assert.equal(await record(lab, '4-1:1.0'), '/sys/bus/usb/drivers/usbhid');
      assert.equal(await record(lab, '4-1:1.1'), '/sys/bus/usb/drivers/usb-storage');
      await lab.assertSound();
      await detachDevice(lab.host, { device: '4-1' });
      assert.deepEqual(lab.driversAt('4-1'), ['usbhid', 'usb-storage']);
      await lab.assertSound();
    });
  }
});

describe('a port that xl overwrites', () => {
  const overwrite = (lab: Lab, moment: Moment): Host =>
    actingAt(lab.host, moment, () => new Rival(lab.sim).attach({ domid: 1, devid: 0 }, 1, '3-8'));

  test('is left to xl, and another one is chosen', async () => {
    await using lab = await openSimulated({ world: twoGuests() });
    const host = overwrite(lab, 'after bind 4-1:1.1 usbback');
    const { result } = await attachDevice(host, { domain: 1, device: '4-1' });
    assert.deepEqual([result.devid, result.port], [0, 2]);
    assert.equal(await lab.read(portOf(1, 1)), '3-8');
    assert.equal(await lab.read(portOf(1, 2)), '4-1');
    assert.deepEqual([...lab.driversAt('4-1'), ...lab.driversAt('3-8')], ['usbback', 'usbback', 'usbback']);
    await lab.assertSound();
  });

  test('is left to xl even if it was the requested port, and nothing is left of the attach', async () => {
    await using lab = await openSimulated({ world: twoGuests() });
    const host = overwrite(lab, 'after bind 4-1:1.1 usbback');
    const error = await failure(() => attachDevice(host, { domain: 1, device: '4-1', devid: 0, port: 1 }));
    assert.equal(error.code, 'port-in-use');
    assert.deepEqual(lab.driversAt('4-1'), ['usbhid', 'usb-storage']);
    assert.equal(await lab.read('/libxl/usbback/4-1'), undefined);
    await lab.assertSound();
  });

  test('before usbback has the device ends up in another port, or nowhere', async () => {
    await using lab = await openSimulated({ world: twoGuests() });
    const host = overwrite(lab, 'before unbind 4-1:1.0 usbhid');
    const port = await attachDevice(host, { domain: 1, device: '4-1' }).then(
      ({ result }) => result.port,
      (error: unknown) => assert.ok(isPvusbError(error) && error.code === 'sysfs-failed', String(error)),
    );
    assert.equal(await lab.read(portOf(1, 1)), '3-8');
    if (port === undefined) assert.equal(await lab.read('/libxl/usbback/4-1'), undefined);
    else assert.equal(await lab.read(portOf(1, port)), '4-1');
    assert.notEqual(port, 1);
    await lab.assertSound();
  });
});

describe('a socket with another device in it', () => {
  test('is not lent under the name of the one that was there', async () => {
    await using lab = await openSimulated();
    const before = await lab.snapshot();
    const { spec } = lab.sim.usb.device('4-1')!;
    const { address: _, ...other } = spec;
    const usbback = lab.sim.usbback!;
    usbback.manner = 'slow';
    let swapped: Promise<unknown> | undefined;
    const swap = async (): Promise<void> => {
      await lab.sim.unplug('4-1');
      await lab.sim.plug({ ...other, serial: 'BACKUP' });
      usbback.manner = 'prompt';
      await usbback.proceed();
    };
    const onStep = ({ step, phase }: { step: { act: { do: string } }; phase: string }): void => {
      if (phase === 'begin' && step.act.do === 'await') swapped ??= swap();
    };
    const error = await failure(() =>
      attachDevice(lab.host, { domain: 1, device: '46f4:0001:LAB0001' }, { onStep }),
    );
    assert.equal(error.code, 'no-such-device');
    assert.ok(swapped, 'the controller was waited for');
    await swapped;
    assert.equal(lab.sim.usb.device('4-1')?.spec.serial, 'BACKUP');
    assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    await lab.assertSound();
  });

  test('says nothing about the records of an unfinished detach', async () => {
    await using lab = await openSimulated({ world: labWith(controllerOf({ domid: 1, devid: 0 })) });
    await lab.attach(1, '4-1');
    lab.sim.usb.failBind('usb-storage', 'EIO');
    assert.equal(
      (await failure(() => detachDevice(lab.host, { device: '4-1' }))).code,
      'driver-not-restored',
    );
    lab.sim.usb.clearFaults();
    assert.equal(await lab.read('/libxl/usbback/4-1/port'), portOf(1, 1));
    assert.notEqual(await lab.read('/libxl/usbback/4-1/device'), undefined);
    await lab.sim.unplug('4-1');
    const keyboard: DeviceSpec = {
      ...{
        busid: '4-1',
        vendorId: '0627',
        productId: '0001',
        deviceClass: '00',
        speedMbps: 480,
        serial: 'K1',
      },
      interfaces: [{ number: 0, classes: '03/01/01' }],
    };
    await lab.sim.plug(keyboard);
    await new Rival(lab.sim).attach({ domid: 1, devid: 0 }, 1, '4-1');
    assert.deepEqual(lab.driversAt('4-1'), ['usbback']);
    assert.deepEqual((await doctor(lab.host, { settleMs: 0 })).findings, []);
    await detachDevice(lab.host, { device: '4-1' });
    assert.deepEqual(lab.driversAt('4-1'), ['usbhid']);
    assert.equal(await lab.read('/libxl/usbback/4-1'), undefined);
    assert.deepEqual(checkInvariants({ dump: await lab.dump(), usb: lab.sim.usb }), []);
  });
});

describe('an abort while a conflict is undone', () => {
  for (const phase of ['failed', 'undo'] as const) {
    for (const turns of [undefined, new Mutex()]) {
      test(`ends as aborted: at "${phase}", ${turns ? 'in turns' : 'alone'}`, async () => {
        await using lab = await openSimulated({ world: labWith(controllerOf({ domid: 1, devid: 0 })) });
        const before = await lab.snapshot();
        const abort = new AbortController();
        let written = false;
        const host = turns ? { ...lab.host, turns } : lab.host;
        const error = await attachDevice(
          host,
          { domain: 2, device: '4-1' },
          {
            signal: abort.signal,
            onStep: (progress) => {
              if (progress.phase === phase) abort.abort();
              if (progress.phase !== 'begin' || !progress.step.why.startsWith('claim') || written) return;
              written = true;
              void lab.write(portOf(1, 2), '4-1');
            },
          },
        ).catch((thrown: unknown) => thrown);
        assert.ok(written && abort.signal.aborted);
        assert.ok(isPvusbError(error), String(error));
        assert.equal(error.code, 'aborted', error.message);
        assert.equal(error.exitStatus, 130);
        await lab.write(portOf(1, 2), '');
        assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
      });
    }
  }
});

describe('how long the doctor waits', () => {
  /** The long waits of the doctor. */
  async function waits(lab: Lab, fix: boolean): Promise<number[]> {
    const slept: number[] = [];
    const clock = { ...lab.host.clock, sleep: async (ms: number) => void slept.push(ms) };
    const { findings } = await doctor({ ...lab.host, clock }, { fix });
    assert.equal(findings.length, 1);
    return slept.filter((ms) => ms >= 1000);
  }

  test('is 11 s before it fixes what looks like an attach in progress', async () => {
    await using lab = await openSimulated({ world: labWith(controllerOf({ domid: 1, devid: 0 })) });
    await lab.write(portOf(1, 1), '3-7');
    assert.deepEqual(await waits(lab, false), [2000]);
    assert.deepEqual(await waits(lab, true), [11_000]);
    assert.equal(await lab.read(portOf(1, 1)), '');
  });

  test('is 2 s before it frees the port of a device that was pulled out', async () => {
    const world = labWith(controllerOf({ domid: 1, devid: 0 }));
    const devices = world.devices.filter(({ busid }) => busid !== '3-8');
    await using lab = await openSimulated({ world: { ...world, devices } });
    await lab.attach(1, '3-7');
    await lab.sim.unplug('3-7');
    assert.deepEqual(await waits(lab, true), [2000]);
    assert.equal(await lab.read(portOf(1, 1)), '');
  });

  test('is not longer for a device that has no driver, which may be as it should', async () => {
    await using lab = await openSimulated({ world: labWith(controllerOf({ domid: 1, devid: 0 })) });
    await lab.attach(1, '3-7');
    await lab.sim.unplug('3-7');
    assert.deepEqual(await waits(lab, true), [2_000]);
  });
});
