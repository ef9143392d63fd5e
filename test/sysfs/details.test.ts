/** What a scan reads of a device only when it is asked to, on trees as sysfs has them. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openSysfs } from '../../src/sysfs/index.js';
import { writeTree } from './support.js';

const DEVICE = { busnum: '2', devnum: '3', idVendor: '46f4', idProduct: '0001', bDeviceClass: '00' };
const HUB = { ...DEVICE, devnum: '1', idVendor: '1d6b', idProduct: '0003', bDeviceClass: '09' };

/** A stick in a USB 3 socket behind a root hub. */
function stick(t: Parameters<typeof writeTree>[0], attributes: Readonly<Record<string, string>> = {}) {
  const root = writeTree(t, {
    usb2: HUB,
    '2-0:1.0': { bInterfaceClass: '09' },
    '2-4': { ...DEVICE, product: 'Stick', serial: 'S1', ...attributes },
  });
  const port = join(root, 'devices/pci0000:00/2-0:1.0/usb2-port4');
  mkdirSync(port);
  return { root, port, folder: join(root, 'devices/pci0000:00/2-4') };
}

async function details(root: string) {
  const [device] = await openSysfs(root).devices({ details: true, wanted: (busid) => busid === '2-4' });
  const { peer, connectType, descriptors, hash } = device!;
  return { peer, connectType, descriptors, hash };
}

describe('a scan with details', () => {
  test('knows the other half of a socket, and what the firmware says about it', async (t) => {
    const { root, port } = stick(t);
    symlinkSync('../../../usb1/1-0:1.0/usb1-port7', join(port, 'peer'));
    writeFileSync(join(port, 'connect_type'), 'not used\n');
    const { peer, connectType } = await details(root);
    assert.deepEqual({ peer, connectType }, { peer: '1-7', connectType: 'not used' });
  });

  test('knows how many sockets a hub has', async (t) => {
    const { root } = stick(t);
    const file = join(root, 'devices/pci0000:00/usb2/maxchild');
    const sockets = async () => {
      const devices = await openSysfs(root).devices({ details: true });
      return devices.map((one) => [one.busid, one.sockets]);
    };
    for (const [text, count] of [
      ['6\n', 6],
      ['0\n', undefined],
      ['many\n', undefined],
    ] as const) {
      writeFileSync(file, text);
      assert.deepEqual(await sockets(), [
        ['usb2', count],
        ['2-4', undefined],
      ]);
    }
  });

  test('knows nothing that the kernel does not say, or says in words of its own', async (t) => {
    const { root, port } = stick(t);
    symlinkSync('/etc/passwd', join(port, 'peer'));
    writeFileSync(join(port, 'connect_type'), 'hot\x1b[31mplug\n');
    assert.deepEqual(await details(root), {
      peer: undefined,
      connectType: undefined,
      descriptors: undefined,
      hash: undefined,
    });
  });

  test('gives descriptors byte for byte, and their hash with the strings as the device has them', async (t) => {
    const { root, folder } = stick(t, { product: 'back\\slash \x07\x7f', serial: 'S1\x08' });
    const bytes = Uint8Array.from({ length: 300 }, (_, i) => i % 256);
    writeFileSync(join(folder, 'descriptors'), bytes);
    const { descriptors, hash } = await details(root);
    assert.deepEqual(Buffer.from(descriptors!, 'base64'), Buffer.from(bytes));
    const expected = createHash('sha256')
      .update('back\\slash \x07\x7f46f40001S1')
      .update(bytes)
      .digest('base64');
    assert.equal(hash, expected);
  });

  test('a usual scan reads none of it', async (t) => {
    const { root, folder } = stick(t);
    writeFileSync(join(folder, 'descriptors'), 'x');
    const [device] = await openSysfs(root).devices({ wanted: (busid) => busid === '2-4' });
    assert.deepEqual(
      Object.keys(device!).filter((key) => ['hash', 'descriptors', 'peer'].includes(key)),
      [],
    );
  });
});
