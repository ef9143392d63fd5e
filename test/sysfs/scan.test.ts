import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { labWorld, publishSysfs, SimHost } from '../../src/sim/index.js';
import { type Busid, openSysfs, Sysfs } from '../../src/sysfs/index.js';
import { brief, errno, fails, MapFiles, recordedHost, writeTree } from './support.js';

const HOST = [
  'usb1 root-hub 1:1 1d6b:0002 480 1-0:1.0=09/00/00=hub',
  '1-1 device 1:2 46f4:0001 480 1-1:1.0=08/06/50=usb-storage',
  'usb2 root-hub 2:1 1d6b:0001 12 2-0:1.0=09/00/00=hub',
  '2-1 device 2:2 0627:0001 12 2-1:1.0=03/01/02=usbhid',
  'usb3 root-hub 3:1 1d6b:0002 480 3-0:1.0=09/00/00=hub',
  '3-2 device 3:2 0627:0001 480 3-2:1.0=03/01/01=usbhid',
  '3-3 device 3:3 0627:0001 480 3-3:1.0=03/00/00=usbhid',
  '3-4 device 3:4 0403:6001 12 3-4:1.0=ff/ff/ff=ftdi_sio',
  '3-5 hub 3:5 0409:55aa 12 3-5:1.0=09/00/00=hub',
  '3-6 device 3:6 46f4:0002 12 3-6:1.0=01/01/04=snd-usb-audio 3-6:1.1=01/02/00=snd-usb-audio',
  '3-5.1 device 3:7 0627:0001 12 3-5.1:1.0=03/01/02=usbhid',
  '3-7 device 3:8 0525:a4a2 12 3-7:1.0=02/06/00=cdc_ether 3-7:1.1=0a/00/00=cdc_ether',
  '3-8 device 3:9 08e6:4433 12 3-8:1.0=0b/00/00=-',
  'usb4 root-hub 4:1 1d6b:0003 5000 4-0:1.0=09/00/00=hub',
  '4-1 device 4:2 46f4:0001 5000 4-1:1.0=08/06/50=usb-storage',
];

async function deviceOf(files: MapFiles, busid: string) {
  const [device] = await new Sysfs(files).devices({ wanted: [busid as Busid] });
  return device;
}

describe('a scan', () => {
  it('reads a recorded host by bus and address: kinds, ids, speeds, interfaces, drivers', async (test) => {
    const devices = await openSysfs(writeTree(test, recordedHost())).devices();
    assert.deepEqual(devices.map(brief), HOST);
    const stick = devices.find(({ busid }) => busid === '4-1');
    assert.deepEqual(
      [stick?.manufacturer, stick?.product, stick?.serial, stick?.deviceClass],
      ['QEMU', 'QEMU USB HARDDRIVE', 'LAB0001', '00'],
    );
  });

  it('reads the same from the simulated kernel, and from its published files', async (test) => {
    const root = writeTree(test, {});
    const recorded = await openSysfs(writeTree(test, recordedHost())).devices();
    const sim = await SimHost.create(labWorld());
    const published = await publishSysfs(sim.usb, root);
    assert.deepEqual(await new Sysfs(sim.usb.files).devices(), recorded);
    assert.deepEqual(await openSysfs(join(root, 'sys')).devices(), recorded);
    await published.close();
    await sim.close();
  });

  it('reads only the devices that are wanted and plugged in', async () => {
    const sysfs = new Sysfs(new MapFiles(recordedHost()));
    const wanted = ['3-6', 'usb3', '9-9', '4-1'] as Busid[];
    assert.deepEqual(
      (await sysfs.devices({ wanted })).map(({ busid }) => busid),
      ['usb3', '3-6', '4-1'],
    );
    assert.deepEqual(await sysfs.devices({ wanted: [] }), []);
  });

  it('reads a device class as hex: 09 is a hub, 9 and 10 are not', async () => {
    const files = new MapFiles(recordedHost());
    const sysfs = new Sysfs(files);
    for (const [text, kind, deviceClass] of [
      ['09\n', 'hub', '09'],
      ['10\n', 'device', '10'],
      ['EF\n', 'device', 'ef'],
      ['9\n', 'device', '00'],
      ['zz\n', 'device', '00'],
    ] as const) {
      files.set('3-2/bDeviceClass', text);
      const [device] = await sysfs.devices({ wanted: ['3-2'] as Busid[] });
      assert.deepEqual([device?.kind, device?.deviceClass], [kind, deviceClass], text);
    }
  });

  it('counts as a hub what the hub driver takes, also by an interface', async () => {
    const files = new MapFiles(recordedHost());
    files.entries.set('bus/usb/devices/3-8:1.0/bInterfaceClass', '09\n');
    assert.equal((await deviceOf(files, '3-8'))?.kind, 'hub');
  });

  it('sees what the host does not allow to be used, and what it could not configure', async () => {
    const files = new MapFiles(recordedHost());
    const state = async () => {
      const { unauthorized, unconfigured, interfaces } = (await deviceOf(files, '3-6'))!;
      return [unauthorized, unconfigured, ...interfaces.map((intf) => intf.unauthorized)];
    };
    assert.deepEqual(await state(), [undefined, undefined, undefined, undefined]);
    files.entries.set('bus/usb/devices/3-6:1.1/authorized', '0\n');
    assert.deepEqual(await state(), [undefined, undefined, undefined, true]);
    files.entries.set('bus/usb/devices/3-6/authorized', '0\n');
    assert.deepEqual((await state()).slice(0, 2), [true, undefined]);
    // Nothing at all, or a newline, depending on the kernel's version.
    for (const none of ['', '\n']) {
      files.entries.set('bus/usb/devices/3-6/bConfigurationValue', none);
      assert.deepEqual((await state()).slice(0, 2), [true, true]);
    }
    // Old kernels do not have the files.
    for (const name of ['3-6/authorized', '3-6/bConfigurationValue', '3-6:1.1/authorized'])
      files.entries.set(`bus/usb/devices/${name}`, errno('ENOENT'));
    assert.deepEqual(await state(), [undefined, undefined, undefined, undefined]);
  });

  it('orders interfaces by number, also above 9', async () => {
    const interfaces = Object.fromEntries(
      [10, 2, 0, 1].map((n) => [`7-1:1.${n}`, { bInterfaceClass: 'ff' }]),
    );
    const device = { busnum: '7', devnum: '2', idVendor: '1234', idProduct: '5678' };
    const sysfs = new Sysfs(new MapFiles({ ...interfaces, '7-1': device }));
    const [found] = await sysfs.devices();
    assert.deepEqual(
      found?.interfaces.map(({ number }) => number),
      [0, 1, 2, 10],
    );
    assert.equal(found?.interfaces[0]?.classes, 'ff/00/00');
  });

  it('knows the existing speeds, and gives 0 for any other', async () => {
    const files = new MapFiles(recordedHost());
    const sysfs = new Sysfs(files);
    for (const [text, mbps] of [
      ['1.5\n', 1.5],
      ['12\n', 12],
      ['20000\n', 20000],
      ['unknown\n', 0],
      ['-1\n', 0],
      ['1e9\n', 0],
    ] as const) {
      files.set('3-2/speed', text);
      assert.equal((await sysfs.devices({ wanted: ['3-2'] as Busid[] }))[0]?.speedMbps, mbps);
    }
  });

  it('leaves out invalid names, and devices whose numbers make no sense', async () => {
    const files = new MapFiles(recordedHost());
    for (const name of ['3-x', 'usb', 'usb0', '3-0', '..', '3-2:1', '3-2:1.0.0', `3-${'1.'.repeat(40)}1`]) {
      files.set(`${name}/busnum`, '3\n');
      files.set(`${name}/devnum`, '9\n');
    }
    files.set('3-2/busnum', '0x3\n');
    files.set('3-3/idVendor', 'wxyz\n');
    files.set('3-4/devnum', undefined);
    const names = (await new Sysfs(files).devices()).map(({ busid }) => busid as string);
    assert.equal(names.length, HOST.length - 3);
    for (const name of ['3-2', '3-3', '3-4', '3-0']) assert.ok(!names.includes(name), name);
  });

  it('escapes what a device says about itself', async (test) => {
    const evil: Readonly<Record<string, string>> = {
      manufacturer: '\x1b]0;pwned\x07\x1b[2J',
      product: 'abc\u202egnp.exe',
      serial: `${'A'.repeat(100_000)}`,
    };
    const recorded = recordedHost();
    const root = writeTree(test, { ...recorded, '3-2': { ...recorded['3-2'], ...evil } });
    writeFileSync(join(root, 'devices/pci0000:00/3-3/product'), Buffer.from([0x41, 0xff, 0xc3, 0x28, 0x0a]));
    const devices = await openSysfs(root).devices({ wanted: ['3-2', '3-3'] as Busid[] });
    assert.equal(devices[0]?.manufacturer, '\\x1b]0;pwned\\x07\\x1b[2J');
    assert.equal(devices[0]?.product, 'abc\\u{202e}gnp.exe');
    assert.equal(devices[0]?.serial, 'A'.repeat(128));
    assert.equal(devices[1]?.product, 'A\ufffd\ufffd(');
  });
});

describe('a device that is pulled out while it is read', () => {
  it('disturbs no other, whatever the moment', async () => {
    const reads: string[] = [];
    const whole = new MapFiles(recordedHost());
    whole.onRead = (path) => reads.push(path);
    const before = await new Sysfs(whole).devices();
    for (let moment = 0; moment < reads.length; moment++) {
      const files = new MapFiles(recordedHost());
      let left = moment;
      files.onRead = () => {
        if (left-- === 0) for (const name of ['3-6', '3-6:1.0', '3-6:1.1']) files.remove(name);
      };
      const devices = await new Sysfs(files).devices();
      const others = devices.filter(({ busid }) => busid !== '3-6').map(brief);
      assert.deepEqual(others, before.filter(({ busid }) => busid !== '3-6').map(brief));
    }
  });

  it('is gone too when the kernel says ENODEV or ENXIO', async () => {
    for (const code of ['ENODEV', 'ENXIO']) {
      const files = new MapFiles(recordedHost());
      for (const path of files.entries.keys()) {
        if (/\/3-6[/:]/.test(path)) files.entries.set(path, errno(code));
      }
      assert.equal((await new Sysfs(files).devices()).length, HOST.length - 1);
    }
  });
});

describe('a sysfs that cannot be read', () => {
  it('that does not exist says no-sysfs', async (test) => {
    const root = writeTree(test, {});
    rmSync(join(root, 'bus'), { recursive: true });
    await assert.rejects(openSysfs(root).devices(), fails('no-sysfs', 'read'));
    await assert.rejects(openSysfs(join(root, 'none')).devices(), fails('no-sysfs'));
  });

  it('that is empty has no devices', async (test) => {
    assert.deepEqual(await openSysfs(writeTree(test, {})).devices(), []);
  });

  it('without permission says EACCES', async (test) => {
    const root = writeTree(test, recordedHost());
    chmodSync(join(root, 'bus/usb/devices'), 0o000);
    const isRoot = process.geteuid?.() === 0;
    chmodSync(root, 0o755);
    if (isRoot) process.seteuid?.(65534);
    try {
      await assert.rejects(openSysfs(root).devices(), fails('EACCES', 'read'));
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(join(root, 'bus/usb/devices'), 0o755);
    }
  });

  it('in a device’s numbers or an interface’s class fails, but not in its texts', async () => {
    for (const attribute of ['3-2/busnum', '3-2/devnum', '3-2:1.0/bInterfaceClass', '3-2:1.0/driver']) {
      const files = new MapFiles(recordedHost());
      files.set(attribute, errno('EIO'));
      await assert.rejects(new Sysfs(files).devices(), fails('EIO', 'read'), attribute);
    }
    for (const attribute of ['manufacturer', 'product', 'serial']) {
      const files = new MapFiles(recordedHost());
      files.set(`3-2/${attribute}`, errno('EPROTO'));
      const device = (await new Sysfs(files).devices()).find(({ busid }) => busid === '3-2');
      assert.ok(device && !(attribute in device));
    }
  });

  it('is not read at all when the signal has aborted', async () => {
    const files = new MapFiles(recordedHost());
    files.onRead = () => assert.fail('it was read');
    const signal = AbortSignal.abort(new Error('given up'));
    const sysfs = new Sysfs(files);
    await assert.rejects(sysfs.devices({ signal }), /given up/);
  });

  it('may have a file in place of a driver', async (test) => {
    const root = writeTree(test, recordedHost());
    mkdirSync(join(root, 'devices/pci0000:00/3-8:1.0/driver'));
    await assert.rejects(openSysfs(root).devices(), fails('EINVAL', 'read'));
  });
});
