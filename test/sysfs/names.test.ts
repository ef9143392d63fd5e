import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  busidOf,
  describeDevice,
  escapeText,
  formatIdentity,
  hasIdentity,
  interfaceNumber,
  listedName,
  parseBusid,
  parseDeviceName,
  parseDriverName,
  parseInterfaceId,
  parseUsbIds,
  readUsbNames,
  Sysfs,
  type UsbDevice,
} from '../../src/sysfs/index.js';
import { anyText } from '../support/any-text.js';
import { MapFiles, recordedHost } from './support.js';

async function deviceOf(busid: string): Promise<UsbDevice> {
  return (await new Sysfs(new MapFiles(recordedHost())).devices()).find((one) => one.busid === busid)!;
}

describe('a name', () => {
  it('of a device is bus and ports, counted from 1', () => {
    for (const text of ['3-1', '3-1.5', '1-1.2.3.4.5.6', '255-127.1']) assert.equal(parseBusid(text), text);
    for (const text of [
      '',
      '3',
      '3-',
      '-1',
      '3-0',
      '0-1',
      '3-1.0',
      '03-1',
      '3-01',
      '3-1.',
      '3-1..2',
      ' 3-1',
      '3-1\n',
      '3-1:1.0',
      'usb3',
      '3-1/..',
      '1-1.1.1.1.1.1.1.1.1',
      '1000-1',
      `3-1${'.1'.repeat(40)}`,
    ]) {
      assert.equal(parseBusid(text), undefined, JSON.stringify(text));
    }
  });

  it('of a root hub is a device’s only where root hubs count', () => {
    assert.equal(parseDeviceName('usb3'), 'usb3');
    assert.equal(parseBusid('usb3'), undefined);
    for (const text of ['usb', 'usb0', 'usb03', 'usbx', 'usb3 '])
      assert.equal(parseDeviceName(text), undefined);
  });

  it('of an interface contains its device, also a root hub’s, and its number', () => {
    for (const [text, busid, number] of [
      ['3-1:1.0', '3-1', 0],
      ['3-1.5:2.11', '3-1.5', 11],
      ['3-0:1.0', 'usb3', 0],
      ['13-10:1.0', '13-10', 0],
    ] as const) {
      const intf = parseInterfaceId(text);
      assert.ok(intf, text);
      assert.equal(busidOf(intf), busid);
      assert.equal(interfaceNumber(intf), number);
    }
    for (const text of [
      '',
      '3-1',
      '3-1:1',
      '3-1:1.0.1',
      '3-1:1.x',
      'usb3:1.0',
      '3-0.1:1.0',
      '3-1:1.0/..',
      '3-1:1.0\n',
    ]) {
      assert.equal(parseInterfaceId(text), undefined, JSON.stringify(text));
    }
  });

  it('of a driver is one folder', () => {
    for (const text of ['usbhid', 'snd-usb-audio', 'cdc_ether', 'usb-storage', 'a.b', 'My Driver']) {
      assert.equal(parseDriverName(text), text);
    }
    for (const text of ['', '.', '..', 'a/b', 'a\0', 'a\n', 'é', 'x'.repeat(65)]) {
      assert.equal(parseDriverName(text), undefined, JSON.stringify(text));
    }
  });
});

describe('an escaped text', () => {
  it('shows what would move, hide or reverse', () => {
    assert.equal(escapeText('plain é 日本'), 'plain é 日本');
    assert.equal(escapeText('\x1b[31m\x9b'), '\\x1b[31m\\x9b');
    assert.equal(escapeText('a\nb\r\t\0\x7f'), 'a\\x0ab\\x0d\\x09\\x00\\x7f');
    assert.equal(escapeText('\u202e\u2066\u200b\ufeff'), '\\u{202e}\\u{2066}\\u{200b}\\u{feff}');
    assert.equal(escapeText('\u2028\u2029'), '\\u{2028}\\u{2029}');
    assert.equal(escapeText('\\x1b'), '\\\\x1b');
    assert.equal(escapeText('\ud800'), '\\u{d800}');
    assert.equal(escapeText('\u{e0041}'), '\\u{e0041}');
  });

  it('ends at 128 characters, however they are composed', () => {
    assert.equal(escapeText('x'.repeat(100_000)), 'x'.repeat(128));
    assert.equal(escapeText('😀'.repeat(200)), '😀'.repeat(128));
    assert.ok(escapeText('\u202e'.repeat(100_000)).length <= 128 * 10);
  });

  it('has no unsafe character, and differs for different texts', () => {
    const text = anyText({ maxLength: 40 });
    fc.assert(
      fc.property(text, text, (one, other) => {
        assert.doesNotMatch(escapeText(one), /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u);
        assert.equal(escapeText(one) === escapeText(other), one === other);
      }),
    );
  });
});

describe('an identity', () => {
  it('is ids, serial number and interface classes', async () => {
    assert.equal(formatIdentity(await deviceOf('4-1')), '46f4:0001;LAB0001;08/06/50');
    assert.equal(formatIdentity(await deviceOf('3-6')), '46f4:0002;1-0000%3A00%3A05.0-6;01/01/04,01/02/00');
    const { serial: _none, ...nameless } = await deviceOf('4-1');
    assert.equal(formatIdentity(nameless), '46f4:0001;;08/06/50');
  });

  it('is the same in any socket and configuration, but not with another id or serial number', async () => {
    const stick = await deviceOf('4-1');
    const identity = formatIdentity(stick);
    assert.ok(hasIdentity({ ...stick, busid: (await deviceOf('1-1')).busid, interfaces: [] }, identity));
    for (const other of [
      { ...stick, vendorId: 'ffff' },
      { ...stick, productId: 'ffff' },
      { ...stick, serial: 'LAB0002' },
      { ...stick, serial: 'LAB0001;' },
    ]) {
      assert.equal(hasIdentity(other, identity), false);
    }
    const { serial: _none, ...nameless } = stick;
    assert.equal(hasIdentity(nameless, identity), false);
    assert.ok(hasIdentity(nameless, formatIdentity(nameless)));
  });

  it('is not read into what is not one', async () => {
    const stick = await deviceOf('4-1');
    for (const text of ['', ';', ';;', '46f4:0001', 'garbage'])
      assert.equal(hasIdentity(stick, text), false, text);
  });

  it('stays one line of text whatever the serial number', async () => {
    const stick = await deviceOf('4-1');
    for (const serial of ['a;b', 'a\\x0ab', '日本', 'x'.repeat(128), '😀'.repeat(60)]) {
      const identity = formatIdentity({ ...stick, serial });
      assert.match(identity, /^[ -~]+$/);
      assert.equal(identity.split(';').length, 3);
      assert.ok(hasIdentity({ ...stick, serial }, identity));
    }
  });
});

const USB_IDS = `# a comment
0627  Adomax Technology Co., Ltd
\t0001  QEMU Tablet
\t\t01  an interface
46f4  QEMU
\t0001  QEMU USB HARDDRIVE
\tzzzz  not an id
broken line
1d6b  Linux \x1b[31mFoundation

C 03  Human Interface Device
\t0001  not a product
`;

describe('usb.ids', () => {
  it('names vendors and products, only those that are wanted', () => {
    const names = parseUsbIds(USB_IDS, new Set(['0627', '0627:0001', '46f4:0001', '1d6b', '1d6b:0001']));
    assert.deepEqual(Object.fromEntries(names), {
      '0627': 'Adomax Technology Co., Ltd',
      '0627:0001': 'QEMU Tablet',
      '46f4:0001': 'QEMU USB HARDDRIVE',
      '1d6b': 'Linux \\x1b[31mFoundation',
    });
    assert.equal(parseUsbIds('', new Set(['0627'])).size, 0);
  });

  it('is read from the first place that has it, and may be missing', async (test) => {
    const folder = mkdtempSync(join(tmpdir(), 'pvusb-ids-'));
    test.after(() => rmSync(folder, { recursive: true }));
    const place = join(folder, 'usb.ids');
    writeFileSync(place, USB_IDS);
    const devices = [await deviceOf('3-2')];
    const names = await readUsbNames(devices, [join(folder, 'none'), place]);
    assert.equal(names.get('0627:0001'), 'QEMU Tablet');
    assert.equal((await readUsbNames(devices, [join(folder, 'none')])).size, 0);
  });

  it('comes after what the device says about itself, whose name begins with the product', async () => {
    const device = await deviceOf('3-2');
    const { manufacturer: _m, product: _p, ...silent } = device;
    assert.equal(describeDevice(device), 'QEMU USB Keyboard');
    assert.equal(describeDevice(device, new Map([['0627', 'Adomax']])), 'QEMU USB Keyboard');
    assert.equal(describeDevice(device, new Map([['0627:0001', 'QEMU Tablet']])), 'QEMU USB Keyboard');
    assert.equal(describeDevice(silent), 'device 0627:0001');
    assert.equal(describeDevice(silent, new Map([['0627', 'Adomax']])), 'Adomax device');
    assert.equal(describeDevice({ ...silent, manufacturer: 'Acme' }), 'Acme device');
    assert.equal(describeDevice({ ...silent, product: 'Keyboard' }), 'Keyboard');
    assert.equal(describeDevice({ ...silent, manufacturer: 'Acme', product: 'Keyboard' }), 'Keyboard (Acme)');
    assert.equal(
      describeDevice({ ...silent, manufacturer: 'acme', product: 'Acme Keyboard' }),
      'Acme Keyboard',
    );
    const listed = new Map([
      ['0627', 'Adomax'],
      ['0627:0001', 'QEMU Tablet'],
    ]);
    assert.equal(describeDevice({ ...silent, product: '  ' }, listed), 'Adomax QEMU Tablet');
    assert.equal(describeDevice({ ...silent, manufacturer: 'Acme' }, listed), 'Adomax QEMU Tablet');
    assert.equal(listedName(device, listed), 'Adomax QEMU Tablet');
    assert.equal(listedName(device, new Map([['0627', 'Adomax']])), undefined);
    assert.equal(listedName(device, new Map([['0627:0001', 'Adomax Tablet']])), 'Adomax Tablet');
  });
});
