/** What the sweep found, one by one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attachDevice, detachDevice, removeController } from '../../src/pvusb/index.js';
import { kernelError } from '../../src/sim/index.js';
import { Sysfs, SysfsError } from '../../src/sysfs/index.js';
import { FaultyHost } from './faulty-host.js';
import { OPERATIONS, type Swept } from './operations.js';
import { ending } from './settle.js';
import { undisturbed } from './trial.js';
import { unharmed } from './unharmed.js';
import { smallWorld } from './worlds.js';

/** A host on which a detach of 3-6 from port 1 was interrupted right after it freed the port. */
async function halfDetached() {
  const detaching = OPERATIONS.find(({ name }) => name === 'detach 3-6')!;
  // Lent by the product itself, so that the records say whose they are.
  const operation: Swept = {
    ...detaching,
    async world() {
      const sim = await smallWorld({ lent: {} });
      await unharmed(sim, (host) => attachDevice(host, { domain: 1, device: '3-6' }));
      await sim.idle();
      return sim;
    },
  };
  const { calls } = await undisturbed(operation);
  // The first transaction looks at the port, the second frees it.
  const freed = calls.filter(({ name }) => name === 'transactionEnd')[1]!;
  const sim = await operation.world();
  const faulty = new FaultyHost(sim, operation.stage, {
    at: freed.index,
    fault: { kind: 'drop', after: true, reopens: false },
  });
  const end = await ending(operation.run(faulty.host), faulty.clock, () => faulty.trouble.activity);
  assert.equal(end.how, 'failed');
  faulty.close();
  assert.equal(await sim.store.handle(0).read('/local/domain/0/backend/vusb/1/0/port/1'), '');
  assert.equal(sim.usb.driverOf('3-6:1.0'), undefined);
  return sim;
}

describe('a detach that was interrupted after it freed the port', () => {
  it('continues when it is run again by port', async () => {
    const sim = await halfDetached();
    const { result } = await unharmed(sim, (host) => detachDevice(host, { domain: 1, devid: 0, port: 1 }));
    assert.equal(sim.usb.driverOf('3-6:1.0'), 'snd-usb-audio');
    assert.equal(sim.usb.driverOf('3-6:1.1'), 'snd-usb-audio');
    assert.deepEqual(result, { domid: 1, devid: 0, port: 1, busid: '3-6' });
    assert.equal(await sim.store.handle(0).read('/libxl/usbback'), undefined);
    await assert.rejects(
      unharmed(sim, (host) => detachDevice(host, { domain: 1, devid: 0, port: 1 })),
      { code: 'port-empty' },
    );
    await sim.close();
  });

  it("continues when it is run again by the device's name", async () => {
    const sim = await halfDetached();
    await unharmed(sim, (host) => detachDevice(host, { device: '3-6', domain: 1 }));
    assert.equal(sim.usb.driverOf('3-6:1.1'), 'snd-usb-audio');
    await sim.close();
  });

  it('is finished by the removal of its controller', async () => {
    const sim = await halfDetached();
    await unharmed(sim, (host) => removeController(host, { domain: 1, devid: 0 }));
    assert.equal(sim.usb.driverOf('3-6:1.1'), 'snd-usb-audio');
    await sim.close();
  });

  it('does not prevent the device from being attached to another guest', async () => {
    const sim = await halfDetached();
    await unharmed(sim, (host) => attachDevice(host, { domain: 2, device: '3-6' }));
    await assert.rejects(
      unharmed(sim, (host) => detachDevice(host, { domain: 1, devid: 0, port: 1 })),
      { code: 'port-empty' },
    );
    await unharmed(sim, (host) => detachDevice(host, { device: '3-6' }));
    assert.equal(sim.usb.driverOf('3-6:1.0'), 'snd-usb-audio');
    assert.equal(sim.usb.driverOf('3-6:1.1'), 'snd-usb-audio');
    await sim.close();
  });
});

describe('an interface whose class cannot be read', () => {
  it('is an error, since without it half a device would be lent', async () => {
    const sim = await smallWorld({ lent: {} });
    const sysfs = new Sysfs({
      ...sim.usb.files,
      async readText(path) {
        if (path.endsWith('3-6:1.1/bInterfaceClass')) throw kernelError('EIO', 'read', path);
        return sim.usb.files.readText(path);
      },
    });
    await assert.rejects(sysfs.devices(), (error) => error instanceof SysfsError && error.code === 'EIO');
    await sim.close();
  });
});
