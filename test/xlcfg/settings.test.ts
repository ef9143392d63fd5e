/** What `usbctrl` and `usbdev` of a file mean, and how they are printed. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  formatUsbSettings,
  parseUsbSettings,
  parseXlCfg,
  readUsbSettings,
  type UsbSettings,
} from '../../src/xlcfg/index.js';
import { projectRoot } from '../xenstored/fetch.js';
import { withoutPlaces } from './places.js';

const NO_CONTROLLER = { type: undefined, version: undefined, ports: undefined };
const NO_PLACE = { controller: undefined, port: undefined };

const FILES: Readonly<Record<string, UsbSettings>> = {
  'hvm-no-usb.cfg': { controllers: [], devices: [] },
  'pv-one-controller.cfg': { controllers: [{ type: 'qusb', version: 2, ports: 4 }], devices: [] },
  'pvh-qusb.cfg': { controllers: [{ type: 'qusb', version: 2, ports: 4 }], devices: [] },
  'pv-two-controllers.cfg': {
    controllers: [
      { type: 'qusb', version: 2, ports: 4 },
      { type: undefined, version: 1, ports: 2 },
    ],
    devices: [
      { hostbus: 1, hostaddr: 2, ...NO_PLACE },
      { hostbus: 2, hostaddr: 2, controller: 1, port: 2 },
    ],
  },
  'every-syntax.cfg': {
    controllers: [NO_CONTROLLER, { type: 'devicemodel', version: 3, ports: 15 }],
    devices: [
      { hostbus: 3, hostaddr: 4, controller: 1, port: 3 },
      { hostbus: 1, hostaddr: 2, controller: 0, port: undefined },
      { hostbus: 255, hostaddr: 127, ...NO_PLACE },
    ],
  },
};

const CONTROLLERS: readonly (readonly [spec: string, controller: UsbSettings['controllers'][number]])[] = [
  ['""', NO_CONTROLLER],
  ['","', NO_CONTROLLER],
  ['"type=auto"', NO_CONTROLLER],
  ['"type=PV"', { ...NO_CONTROLLER, type: 'pv' }],
  ['"type=qusb"', { ...NO_CONTROLLER, type: 'qusb' }],
  ['"type=pv,type=auto"', NO_CONTROLLER],
  ['"version=1,ports=31"', { ...NO_CONTROLLER, version: 1, ports: 31 }],
  ['"version=0x2,ports=0X1f"', { ...NO_CONTROLLER, version: 2, ports: 31 }],
  ['"  ports=4,   version=2"', { ...NO_CONTROLLER, version: 2, ports: 4 }],
  ['"ports= 4 ,version=\t2\t"', { ...NO_CONTROLLER, version: 2, ports: 4 }],
  [String.raw`"ports=\t4"`, { ...NO_CONTROLLER, ports: 4 }],
  ['"version=01,ports=08"', { ...NO_CONTROLLER, version: 1, ports: 8 }],
  ['"ports=0031"', { ...NO_CONTROLLER, ports: 31 }],
  ['",,ports=4,,"', { ...NO_CONTROLLER, ports: 4 }],
  ['"ports=4,ports=5"', { ...NO_CONTROLLER, ports: 5 }],
  ['"version=3"', { ...NO_CONTROLLER, version: 3 }],
  ['"version=3,ports=15"', { ...NO_CONTROLLER, version: 3, ports: 15 }],
  ['"type=devicemodel,version=1,ports=2"', { type: 'devicemodel', version: 1, ports: 2 }],
  ['"type=devicemodel,ports=6"', { type: 'devicemodel', version: undefined, ports: 6 }],
];

const DEVICES: readonly (readonly [spec: string, device: UsbSettings['devices'][number]])[] = [
  ['"hostbus=1,hostaddr=2"', { hostbus: 1, hostaddr: 2, ...NO_PLACE }],
  ['"hostaddr=127,hostbus=255"', { hostbus: 255, hostaddr: 127, ...NO_PLACE }],
  ["'type=HostDev, hostbus=0x10, hostaddr=0xA'", { hostbus: 16, hostaddr: 10, ...NO_PLACE }],
  ['"hostbus=9,hostaddr=2,hostbus=1"', { hostbus: 1, hostaddr: 2, ...NO_PLACE }],
  ['"hostbus=1,hostaddr=2,port=0"', { hostbus: 1, hostaddr: 2, ...NO_PLACE }],
  ['"hostbus=1,hostaddr=2,port= 00"', { hostbus: 1, hostaddr: 2, ...NO_PLACE }],
  ['"hostbus=001,hostaddr=007"', { hostbus: 1, hostaddr: 7, ...NO_PLACE }],
  ['"hostbus=001, hostaddr=003, controller=00,port=08"', { hostbus: 1, hostaddr: 3, controller: 0, port: 8 }],
  ['"hostbus=1,hostaddr=2,controller=0"', { hostbus: 1, hostaddr: 2, controller: 0, port: undefined }],
  ['"port=8,controller=0,hostbus=1,hostaddr=2"', { hostbus: 1, hostaddr: 2, controller: 0, port: 8 }],
  ['"hostbus=1,hostaddr=2,controller=1,port=6"', { hostbus: 1, hostaddr: 2, controller: 1, port: 6 }],
  ['"hostbus=1,hostaddr=2,controller=2,port=31"', { hostbus: 1, hostaddr: 2, controller: 2, port: 31 }],
];

const THREE = 'usbctrl = [ "", "type=devicemodel", "ports=31" ]\n';

function fixture(name: string): Buffer {
  return readFileSync(join(projectRoot(), 'test/fixtures/xlcfg', name));
}

describe('USB settings of xl.cfg', () => {
  for (const [name, settings] of Object.entries(FILES)) {
    it(`are read from ${name}`, () => {
      assert.deepEqual(withoutPlaces(parseUsbSettings(fixture(name))), settings);
      assert.deepEqual(withoutPlaces(readUsbSettings(parseXlCfg(fixture(name)))), settings);
    });

    it(`are the same with DOS line ends: ${name}`, () => {
      const text = fixture(name).toString().replaceAll('\n', '\r\n');
      assert.deepEqual(parseUsbSettings(text), parseUsbSettings(fixture(name)));
    });
  }

  for (const [spec, controller] of CONTROLLERS) {
    it(`has a controller ${spec}`, () => {
      const { controllers } = parseUsbSettings(`usbctrl=[${spec}]`);
      assert.deepEqual(controllers, [{ ...controller, position: { line: 1, column: 10 } }]);
    });
  }

  for (const [spec, device] of DEVICES) {
    it(`has a device ${spec}`, () => {
      const { devices } = parseUsbSettings(`${THREE}usbdev=[\n\t${spec}]`);
      assert.deepEqual(devices, [{ ...device, position: { line: 3, column: 2 } }]);
    });
  }

  it('are empty for a file that has none', () => {
    for (const text of [
      '',
      'usbctrl=[]',
      'usbdev = [ ]\nusbctrl = [\n]',
      'usb = 1; usbdevice = ["tablet"]',
    ]) {
      assert.deepEqual(parseUsbSettings(text), { controllers: [], devices: [] });
    }
  });

  it('are those of the last = and what += adds to it, usbdev before usbctrl too', () => {
    const text = [
      'usbdev = [ "hostbus=1,hostaddr=1" ]',
      'usbdev = [ "hostbus=1,hostaddr=2,controller=1" ]',
      'usbctrl += [ "ports=2" ]',
      'usbdev += [ "hostbus=1,hostaddr=3" ]',
      'usbctrl += [ "ports=3" ]',
    ].join('\n');
    const { controllers, devices } = parseUsbSettings(text);
    const at = ({ position: { line, column } }: (typeof controllers | typeof devices)[number]): string =>
      `${line}:${column}`;
    assert.deepEqual(
      controllers.map((controller) => [controller.ports, at(controller)]),
      [
        [2, '3:14'],
        [3, '5:14'],
      ],
    );
    assert.deepEqual(
      devices.map((device) => [device.hostaddr, device.controller, at(device)]),
      [
        [2, 1, '2:12'],
        [3, undefined, '4:13'],
      ],
    );
  });

  it('may put several devices on one controller and leave the ports open', () => {
    const text = `${THREE}usbdev=["hostbus=1,hostaddr=2,controller=0","hostbus=2,hostaddr=1,controller=0"]`;
    assert.equal(parseUsbSettings(text).devices.length, 2);
  });
});

describe('printed USB settings', () => {
  it('have one line for a list of one and for an empty one, a line for each item of longer ones', () => {
    assert.equal(formatUsbSettings({ controllers: [], devices: [] }), 'usbctrl = [ ]\nusbdev = [ ]\n');
    assert.equal(formatUsbSettings({ controllers: [{}], devices: [] }), 'usbctrl = [ "" ]\nusbdev = [ ]\n');
    assert.equal(
      formatUsbSettings(FILES['pv-two-controllers.cfg']!),
      [
        'usbctrl = [',
        '  "type=qusb,version=2,ports=4",',
        '  "version=1,ports=2",',
        ']',
        'usbdev = [',
        '  "type=hostdev,hostbus=1,hostaddr=2",',
        '  "type=hostdev,hostbus=2,hostaddr=2,controller=1,port=2",',
        ']',
        '',
      ].join('\n'),
    );
  });

  it('do not print places', () => {
    const settings = parseUsbSettings(fixture('every-syntax.cfg'));
    assert.equal(formatUsbSettings(settings), formatUsbSettings(withoutPlaces(settings)));
  });

  for (const [name, settings] of Object.entries(FILES)) {
    it(`are read back as they were: ${name}`, () => {
      assert.deepEqual(withoutPlaces(parseUsbSettings(formatUsbSettings(settings))), settings);
    });
  }
});
