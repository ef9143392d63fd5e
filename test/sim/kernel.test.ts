import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type DeviceSpec, type KernelChange, SimUsb, USBBACK_DRIVER } from '../../src/sim/kernel/index.js';

const ROOT: DeviceSpec = {
  busid: 'usb3',
  vendorId: '1d6b',
  productId: '0002',
  deviceClass: '09',
  speedMbps: 480,
  maxChild: 12,
  interfaces: [{ number: 0, classes: '09/00/00' }],
};

function device(busid: string, classes: string[], more: Partial<DeviceSpec> = {}): DeviceSpec {
  return {
    busid,
    vendorId: '0627',
    productId: '0001',
    deviceClass: '00',
    speedMbps: 12,
    interfaces: classes.map((text, number) => ({ number, classes: text })),
    ...more,
  };
}

const KEYBOARD = device('3-2', ['03/01/01'], { product: 'QEMU USB Keyboard' });
const AUDIO = device('3-6', ['01/01/04', '01/02/00']);
const NET = device('3-7', ['02/06/00', '0a/00/00'], { deviceClass: '02' });

async function usbWith(...devices: DeviceSpec[]): Promise<SimUsb> {
  const usb = new SimUsb();
  for (const spec of [ROOT, ...devices]) await usb.plug(spec);
  return usb;
}

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

const bind = (usb: SimUsb, driver: string, text: string) =>
  codeOf(usb.files.writeText(`bus/usb/drivers/${driver}/bind`, text));
const unbind = (usb: SimUsb, driver: string, text: string) =>
  codeOf(usb.files.writeText(`bus/usb/drivers/${driver}/unbind`, text));
const driversOf = (usb: SimUsb, busid: string) => usb.device(busid)?.interfaces.map(({ driver }) => driver);

describe('the simulated USB core', () => {
  it('gives plugged devices their natural drivers and addresses upwards', async () => {
    const usb = await usbWith(KEYBOARD, AUDIO, NET, device('3-8', ['0b/00/00']));
    assert.deepEqual(driversOf(usb, '3-2'), ['usbhid']);
    assert.deepEqual(driversOf(usb, '3-6'), ['snd-usb-audio', 'snd-usb-audio']);
    assert.deepEqual(driversOf(usb, '3-7'), ['cdc_ether', 'cdc_ether']);
    assert.deepEqual(driversOf(usb, '3-8'), [undefined]);
    assert.equal(usb.device('3-2')?.address, 2);
    await usb.unplug('3-2');
    await usb.plug(KEYBOARD);
    assert.equal(usb.device('3-2')?.address, 6, 'a replugged device gets a new address');
  });

  it('numbers from the lowest free address again after 127', async () => {
    const usb = await usbWith(AUDIO);
    for (let round = 0; round < 125; round++) {
      await usb.plug(KEYBOARD);
      await usb.unplug('3-2');
    }
    await usb.plug(KEYBOARD);
    assert.equal(usb.device('3-2')?.address, 3);
  });

  it('shows sysfs as Linux lays it out', async () => {
    const usb = await usbWith(
      KEYBOARD,
      device('3-5', ['09/00/00'], { deviceClass: '09' }),
      device('3-5.1', ['03/01/02']),
    );
    const { files } = usb;
    assert.deepEqual(await files.list('bus/usb/devices'), [
      'usb3',
      '3-0:1.0',
      '3-2',
      '3-2:1.0',
      '3-5',
      '3-5:1.0',
      '3-5.1',
      '3-5.1:1.0',
    ]);
    assert.equal(await files.readText('bus/usb/devices/3-2/product'), 'QEMU USB Keyboard\n');
    assert.equal(await files.readText('bus/usb/devices/3-2/bNumInterfaces'), ' 1\n');
    assert.equal(await files.readText('bus/usb/devices/3-5.1/devpath'), '5.1\n');
    assert.equal(await codeOf(files.readText('bus/usb/devices/3-2/serial')), 'ENOENT');
    assert.equal(
      await files.readLink('bus/usb/devices/3-2:1.0/driver'),
      '../../../../../../bus/usb/drivers/usbhid',
    );
    assert.equal(
      await files.readLink('bus/usb/devices/3-0:1.0/driver'),
      '../../../../../bus/usb/drivers/hub',
    );
    assert.equal(
      await files.readLink('bus/usb/devices/3-5.1/driver'),
      '../../../../../../bus/usb/drivers/usb',
    );
    assert.ok((await files.list('bus/usb/devices/3-5')).includes('3-5.1'));
    assert.deepEqual(await files.list('bus/usb/drivers/usbhid'), [
      '3-2:1.0',
      '3-5.1:1.0',
      'bind',
      'unbind',
      'uevent',
    ]);
    assert.equal(await files.readText('bus/usb/drivers/usbhid/3-2:1.0/bInterfaceClass'), '03\n');
    assert.equal(await codeOf(files.readText('bus/usb/drivers/usbhid/bind')), 'EACCES');
    assert.equal(await codeOf(files.writeText('bus/usb/devices/3-2/product', 'x')), 'EACCES');
    assert.equal(await codeOf(files.readText('bus/usb/devices/3-2')), 'EISDIR');
    assert.equal(await codeOf(files.list('bus/usb/devices/3-2/product')), 'ENOTDIR');
    assert.equal(await codeOf(files.readLink('bus/usb/devices/3-2/product')), 'EINVAL');
    assert.equal(await codeOf(files.list('bus/usb/drivers/nvme')), 'ENOENT');
  });

  it("answers bind and unbind with the kernel's errnos", async () => {
    const usb = await usbWith(KEYBOARD);
    assert.equal(await bind(usb, 'usbhid', '3-9:1.0'), 'ENODEV', 'no such interface');
    assert.equal(await bind(usb, 'usb-storage', '3-2:1.0'), 'ENODEV', 'does not match');
    assert.equal(await bind(usb, 'usbhid', '3-2:1.0'), 'EBUSY', 'has a driver');
    assert.equal(await unbind(usb, 'hub', '3-2:1.0'), 'ENODEV', "is another driver's");
    assert.equal(await unbind(usb, 'usbhid', '3-2:1.0\n\n'), 'ENODEV', 'two newlines');
    assert.equal(await unbind(usb, 'usbhid', '3-2:1.'), 'ENODEV', 'half a name');
    assert.equal(await unbind(usb, 'usbhid', '3-2:1.0\n'), undefined);
    assert.equal(await unbind(usb, 'usbhid', '3-2:1.0'), 'ENODEV', 'has none');
    assert.equal(await codeOf(usb.files.readLink('bus/usb/devices/3-2:1.0/driver')), 'ENOENT');
    assert.equal(await codeOf(usb.files.writeText('bus/usb/drivers_probe', '3-9:1.0')), 'ENODEV');
    assert.equal(await codeOf(usb.files.writeText('bus/usb/drivers_probe', '3-2:1.0\n')), undefined);
    assert.deepEqual(driversOf(usb, '3-2'), ['usbhid']);
    await assert.rejects(usb.files.writeText('bus/usb/drivers/usbhid/bind', '3-9:1.0'), {
      code: 'ENODEV',
      errno: -19,
      syscall: 'write',
      path: '/sys/bus/usb/drivers/usbhid/bind',
    });
  });

  it('claims all of a sound device on bind and releases it piece by piece', async () => {
    const usb = await usbWith(AUDIO);
    assert.equal(await unbind(usb, 'snd-usb-audio', '3-6:1.0'), undefined);
    assert.deepEqual(driversOf(usb, '3-6'), [undefined, 'snd-usb-audio']);
    assert.equal(await unbind(usb, 'snd-usb-audio', '3-6:1.1'), undefined);
    assert.equal(await bind(usb, 'snd-usb-audio', '3-6:1.1'), 'ENODEV', 'streaming first, as in the capture');
    assert.equal(await bind(usb, 'snd-usb-audio', '3-6:1.0'), undefined);
    assert.deepEqual(driversOf(usb, '3-6'), ['snd-usb-audio', 'snd-usb-audio']);
  });

  it('claims and releases both halves of a network device together', async () => {
    const usb = await usbWith(NET);
    assert.equal(await unbind(usb, 'cdc_ether', '3-7:1.1'), undefined);
    assert.deepEqual(driversOf(usb, '3-7'), [undefined, undefined]);
    assert.equal(await bind(usb, 'cdc_ether', '3-7:1.1'), 'ENODEV');
    assert.equal(await bind(usb, 'cdc_ether', '3-7:1.0'), undefined);
    assert.deepEqual(driversOf(usb, '3-7'), ['cdc_ether', 'cdc_ether']);
  });

  it('lets usbback take only what is wanted, and no hub', async () => {
    const wanted = new Set<string>();
    const usb = await usbWith(KEYBOARD, device('3-8', ['0b/00/00']));
    usb.answerWanted(async (busid) => wanted.has(busid));
    await usb.addDriver(USBBACK_DRIVER);
    assert.deepEqual(driversOf(usb, '3-8'), [undefined]);
    assert.equal(await bind(usb, 'usbback', '3-8:1.0'), 'ENODEV');
    wanted.add('3-8').add('usb3').add('3-2');
    assert.equal(await bind(usb, 'usbback', '3-8:1.0'), undefined);
    await usb.unbind('hub', '3-0:1.0');
    assert.equal(await bind(usb, 'usbback', '3-0:1.0'), 'ENODEV');
    assert.equal(await bind(usb, 'usbback', '3-2:1.0'), 'EBUSY');
    await usb.unplug('3-8');
    await usb.plug(device('3-8', ['0b/00/00']));
    assert.deepEqual(driversOf(usb, '3-8'), ['usbback'], 'a replugged device that nobody else takes');
    await usb.removeDriver('usbback');
    assert.deepEqual(driversOf(usb, '3-8'), [undefined]);
    assert.equal(await codeOf(usb.files.list('bus/usb/drivers/usbback')), 'ENOENT');
    assert.equal(await bind(usb, 'usbback', '3-8:1.0'), 'ENOENT');
  });

  it('fails on demand', async () => {
    const usb = await usbWith(KEYBOARD);
    usb.failUnbind('usbhid', 'EIO', 1);
    assert.equal(await unbind(usb, 'usbhid', '3-2:1.0'), 'EIO');
    assert.equal(await unbind(usb, 'usbhid', '3-2:1.0'), undefined);
    usb.failBind({ interface: '3-2:1.0', driver: 'usbhid' }, 'ENOMEM', 2);
    assert.equal(await bind(usb, 'usbhid', '3-2:1.0'), 'ENOMEM');
    assert.equal(await codeOf(usb.probe('3-2:1.0')), undefined, 'a probe that finds no driver is a success');
    assert.deepEqual(driversOf(usb, '3-2'), [undefined]);
    assert.equal(await bind(usb, 'usbhid', '3-2:1.0'), undefined);
  });

  it('reports every change, and takes a hub with everything behind it', async () => {
    const usb = await usbWith();
    const changes: KernelChange[] = [];
    const stop = usb.onChange((change) => changes.push(change));
    await usb.plug(device('3-5', ['09/00/00'], { deviceClass: '09' }));
    await usb.plug(device('3-5.1', ['03/01/02']));
    await usb.unplug('3-5');
    stop();
    await usb.plug(KEYBOARD);
    assert.deepEqual(changes, [
      { kind: 'plug', busid: '3-5' },
      { kind: 'bind', interface: '3-5:1.0', driver: 'hub' },
      { kind: 'plug', busid: '3-5.1' },
      { kind: 'bind', interface: '3-5.1:1.0', driver: 'usbhid' },
      { kind: 'unplug', busid: '3-5.1' },
      { kind: 'unplug', busid: '3-5' },
    ]);
    await assert.rejects(usb.plug(device('3-5.2', [])), /no hub 3-5/);
    await assert.rejects(usb.plug(KEYBOARD), /already plugged/);
  });
});
