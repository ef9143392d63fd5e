/** A port with a virtual device into which another toolstack puts one of the host: libxl takes it for empty. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  addController,
  attachDevice,
  attachVirtual,
  detachDevice,
  doctor,
  parseVirtualName,
} from '../../src/pvusb/index.js';
import { failure } from '../core/support/test-host.js';
import { operated, type ServedHost } from './stage.js';

const KEYBOARD = parseVirtualName('keyboard')!;
const PORT = '/local/domain/0/backend/vusb/1/0/port/1';

/** The driver of the only interface of 3-2. */
const driver = ({ sim }: ServedHost): string | undefined => sim.usb.driverOf('3-2:1.0');

/** 3-2 off its driver, which is recorded as libxl does it. */
async function takeOff({ client, sim }: ServedHost): Promise<void> {
  await client.write('/libxl/usbback/3-2/3-2@1_0/driver_path', '/sys/bus/usb/drivers/usbhid/3-2:1.0');
  await sim.usb.disconnect('3-2:1.0');
}

describe('a device in the port of a virtual one', () => {
  it('is detached together with it', async () => {
    const { served, host } = await operated();
    await using _ = served;
    await attachVirtual(host, { domain: 'u1', device: KEYBOARD }, { watchMs: 0 });
    await takeOff(served);
    await served.client.write(PORT, '3-2');
    await served.settle();
    const { result } = await detachDevice(host, { domain: 'u1', devid: 0, port: 1 });
    assert.deepEqual(result, { domid: 1, devid: 0, port: 1, virtual: KEYBOARD, busid: '3-2' });
    assert.equal(driver(served), 'usbhid');
    assert.deepEqual((await doctor(host)).findings, []);
  });

  it('that has come since the look is detached with it, too', async () => {
    const { served, host } = await operated();
    await using _ = served;
    await attachVirtual(host, { domain: 'u1', device: KEYBOARD }, { watchMs: 0 });
    let come: Promise<void> | undefined;
    const onLook = (): void => {
      come ??= takeOff(served).then(() => served.client.write(PORT, '3-2'));
    };
    const { result } = await detachDevice(host, { device: KEYBOARD }, { onLook });
    await come;
    assert.equal(result.busid, '3-2');
    assert.equal(driver(served), 'usbhid');
    assert.equal(await served.client.read(PORT), '');
    assert.deepEqual((await doctor(host)).findings, []);
  });

  it('stays when the virtual one could not be opened', async () => {
    const { served, host } = await operated();
    await using _ = served;
    await addController(host, { domain: 'u1', type: 'pv' });
    const { images: _images, ...blind } = host;
    let come: Promise<void> | undefined;
    const refused = await failure(() =>
      attachVirtual(
        blind,
        { domain: 'u1', device: parseVirtualName('stick:/nonexistent')!, devid: 0, port: 1 },
        {
          watchMs: 0,
          onStep: ({ phase, step }) => {
            if (phase === 'done' && /claim/.test(step.why)) come = served.client.write(PORT, '3-2');
          },
        },
      ),
    );
    await come;
    assert.equal(refused.code, 'not-opened');
    assert.equal(await served.client.read(PORT), '3-2');
  });

  it('is not with that guest: the doctor says so, and gives it back', async () => {
    const { served, host } = await operated();
    await using _ = served;
    await attachVirtual(host, { domain: 'u1', device: KEYBOARD }, { watchMs: 0 });
    await served.settle();
    await takeOff(served);
    await served.client.write(PORT, '3-2');
    await served.settle();
    const { findings, remaining } = await doctor(host, { settleMs: 0, fix: true });
    assert.deepEqual(
      findings.map(({ finding }) => finding),
      ['port-without-binding'],
    );
    assert.deepEqual(remaining, []);
    assert.equal(driver(served), 'usbhid');
  });

  it('stays with the guest that really has it', async () => {
    const { served, host } = await operated();
    await using _ = served;
    await attachVirtual(host, { domain: 'u1', device: KEYBOARD }, { watchMs: 0 });
    await attachDevice(host, { domain: 'u2', device: '3-2' }, { watchMs: 0 });
    await served.client.write(PORT, '3-2');
    await served.settle();
    await doctor(host, { settleMs: 0, fix: true });
    assert.equal(await served.client.read('/local/domain/0/backend/vusb/2/0/port/1'), '3-2');
    assert.equal(await served.client.read(PORT), '');
    assert.equal(driver(served), 'usbfs');
  });
});
