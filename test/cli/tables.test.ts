/** What has to be typed next is never cut, whatever the devices and guests are called and however narrow the terminal is. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatDevices } from '../../src/cli/commands/devices.js';
import { formatList } from '../../src/cli/commands/list.js';
import { displayWidth } from '../../src/cli/table.js';
import type { Inventory } from '../../src/pvusb/model/inventory.js';
import { labWorld, parseWorldText } from '../../src/sim/index.js';
import {
  escapeText,
  parseBusid,
  parseDriverName,
  parseInterfaceId,
  type UsbDevice,
} from '../../src/sysfs/index.js';
import { readProjectFile } from '../architecture/sources.js';
import { anyText } from '../support/any-text.js';
import { openStage, runPvusb } from './stage.js';

/** Whatever controls a terminal or the reading of a line. */
const STEERING = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u;

/** A text of any characters, more often those that are two columns wide or none. */
const columnText = fc.oneof(
  anyText({ maxLength: 200 }),
  fc.string({
    unit: fc.constantFrom('漢', '한', '😀', 'e\u0301', '\u001b[31m', '\u202e', 'a', ' '),
    maxLength: 100,
  }),
);

/** As deep as the kernel goes: a root port and a chain of five hubs. */
const anyBusid = fc
  .tuple(
    fc.integer({ min: 1, max: 99 }),
    fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 }),
  )
  .map(([bus, ports]) => parseBusid(`${bus}-${ports.join('.')}`)!);

const anyDevice = fc
  .record({
    busid: anyBusid,
    manufacturer: columnText,
    product: columnText,
    serial: fc.option(columnText),
    driver: fc.constantFrom('usbhid', 'd'.repeat(64)),
    kind: fc.constantFrom('device' as const, 'hub' as const),
    productId: fc.constantFrom('0001', '0002'),
  })
  .map(({ busid, manufacturer, product, serial, driver, kind, productId }): UsbDevice => {
    return {
      busid,
      kind,
      bus: 255,
      address: 127,
      vendorId: '46f4',
      productId,
      deviceClass: '00',
      speedMbps: 20_000,
      manufacturer: escapeText(manufacturer),
      product: escapeText(product),
      ...(serial === null ? {} : { serial: escapeText(serial) }),
      interfaces: ['03', '08', '0e'].map((code, number) => ({
        id: parseInterfaceId(`${busid}:1.${number}`)!,
        number,
        classes: `${code}/00/00`,
        driver: parseDriverName(driver)!,
      })),
    };
  });

const anyDevices = fc.uniqueArray(anyDevice, { minLength: 1, maxLength: 4, selector: ({ busid }) => busid });

/** A host with these devices, the first of which is lent to a guest with this name. */
function hostOf(devices: readonly UsbDevice[], name: string): Inventory {
  return {
    format: 'pvusb-inventory-1',
    usbback: true,
    devices,
    domains: [{ domid: 1, name, type: 'pv', alive: true }],
    controllers: [
      {
        domid: 1,
        devid: 0,
        type: 'qusb',
        version: 2,
        portCount: 31,
        backendDomid: 0,
        online: true,
        backendState: 4,
        untrustedFrontend: { state: 4 },
        ports: [{ port: 31, busid: devices[0]!.busid }],
        strayPorts: [],
      },
    ],
    savedDrivers: [],
    qemus: [],
    saved: [],
    orphanBackends: [],
  };
}

const linesOf = (text: string): string[] => text.trimEnd().split('\n');

describe('the table of devices', () => {
  it('has what is typed next in full, at any width and whatever things are called', () => {
    const width = fc.option(fc.integer({ min: 1, max: 300 }), { nil: undefined });
    fc.assert(
      fc.property(anyDevices, width, fc.constantFrom('u1', 'n'.repeat(60)), (devices, columns, name) => {
        const [, ...lines] = linesOf(formatDevices(hostOf(devices, name), new Map(), { columns }));
        assert.equal(lines.length, devices.length);
        for (const [row, { busid, productId, kind }] of devices.entries()) {
          const line = lines[row]!;
          const cells = line.split(/ {2,}/);
          assert.deepEqual(cells.slice(0, 3), [busid, '255.127', `46f4:${productId}`]);
          const attachable = kind === 'hub' ? 'no (hub)' : row === 0 ? 'no (in use)' : 'yes';
          assert.ok(line.includes(` ${attachable} `), line);
          if (row === 0) assert.ok(line.includes(` ${name} `), line);
          assert.ok(!STEERING.test(line), JSON.stringify(line));
        }
      }),
    );
  });

  it('fits a terminal of 80 columns whatever the devices call themselves and wherever they are', () => {
    fc.assert(
      fc.property(anyDevices, fc.constantFrom('u1', 'n'.repeat(12)), (devices, name) => {
        for (const line of linesOf(formatDevices(hostOf(devices, name), new Map(), { columns: 80 }))) {
          assert.ok(displayWidth(line) <= 80, line);
        }
      }),
    );
  });

  it('is cut only for a terminal', () => {
    fc.assert(
      fc.property(anyDevices, (devices) => {
        const text = formatDevices(hostOf(devices, 'u1'), new Map());
        for (const { product } of devices) assert.ok(text.includes(product!.trim()), text);
        assert.ok(!/…/.test(text) || devices.some((device) => JSON.stringify(device).includes('…')), text);
      }),
    );
  });
});

describe('the listing of guests', () => {
  it('has names of guests, busids and ids in full, at any width', () => {
    const width = fc.option(fc.integer({ min: 1, max: 300 }), { nil: undefined });
    fc.assert(
      fc.property(anyDevices, width, fc.constantFrom('u1', 'n'.repeat(200)), (devices, columns, name) => {
        const [{ busid, productId }] = devices as [UsbDevice];
        const lines = linesOf(formatList(hostOf(devices, name), new Map(), { columns }));
        assert.equal(lines[0], `Domain 1, "${name}", pv`);
        const port = lines.find((line) => line.startsWith('    port 31 '))!;
        assert.ok(port.includes(` ${busid} `) && port.includes(` 46f4:${productId}`), port);
        assert.ok(!STEERING.test(port), JSON.stringify(port));
        if (columns === undefined) assert.ok(port.includes(devices[0]!.product!.trim()), port);
        if (columns !== undefined && columns >= 100 && !/46f4:000[12]:/.test(port)) {
          assert.ok(displayWidth(port) <= columns, port);
        }
      }),
    );
  });
});

const HUBS = ['1-1', '1-1.4', '1-1.4.4', '1-1.4.4.3'];

/** Two cameras behind four hubs; two radios that share their chip's ids; a keyboard that usb.ids gives another name. */
const DEEP = JSON.stringify({
  format: 'pvusb-world-1',
  devices: [
    ...HUBS.map((busid) => {
      return { busid, id: '05e3:0608', class: '09', product: 'USB2.0 Hub', interfaces: ['09/00/00'] };
    }),
    ...['1-1.4.4.3.1', '1-1.4.4.3.2'].map((busid) => {
      const interfaces = ['0e/01/00', '0e/02/00', '01/01/00', '01/02/00'];
      return { busid, id: '046d:0825', speed: 480, product: 'HD Webcam C270', interfaces };
    }),
    ...[
      { busid: '2-1', id: '10c4:ea60', product: 'Sonoff Zigbee 3.0 USB Dongle Plus', serial: '0001' },
      { busid: '2-2', id: '10c4:ea60', product: 'HubZ Smart Home Controller', serial: '612' },
    ].map((radio) => ({ ...radio, manufacturer: 'Silicon Labs', speed: 12, interfaces: ['ff/00/00'] })),
    { busid: '2-3', id: '0627:0001', speed: 12, product: 'QEMU USB Keyboard', interfaces: ['03/01/01'] },
  ],
  domains: [{ domid: 1, name: 'u1' }],
});

const USB_IDS = `0627  Adomax Technology Co., Ltd
\t0001  QEMU Tablet
10c4  Silicon Labs
\tea60  CP210x UART Bridge
`;

describe('on a host with much behind hubs', () => {
  it('a pipe and a wide terminal get all of it, with what usb.ids says next to the own names', async () => {
    await using stage = await openStage(parseWorldText(DEEP));
    writeFileSync(join(stage.dir, 'usb.ids'), USB_IDS);
    const text = `BUSID        ADDR  ID         SERIAL  SPEED  CLASS        USED BY                 ATTACHABLE  NAME                                              LISTED AS
1-1          1.2   05e3:0608          480M   hub          hub                     no (hub)    USB2.0 Hub
1-1.4        1.3   05e3:0608          480M   hub          hub                     no (hub)    USB2.0 Hub
1-1.4.4      1.4   05e3:0608          480M   hub          hub                     no (hub)    USB2.0 Hub
1-1.4.4.3    1.5   05e3:0608          480M   hub          hub                     no (hub)    USB2.0 Hub
1-1.4.4.3.1  1.6   046d:0825          480M   video,audio  uvcvideo,snd-usb-audio  yes         HD Webcam C270
1-1.4.4.3.2  1.7   046d:0825          480M   video,audio  uvcvideo,snd-usb-audio  yes         HD Webcam C270
2-1          2.2   10c4:ea60  0001    12M    vendor       -                       yes         Sonoff Zigbee 3.0 USB Dongle Plus (Silicon Labs)  Silicon Labs CP210x UART Bridge
2-2          2.3   10c4:ea60  612     12M    vendor       -                       yes         HubZ Smart Home Controller (Silicon Labs)         Silicon Labs CP210x UART Bridge
2-3          2.4   0627:0001          12M    input        usbhid                  yes         QEMU USB Keyboard                                 Adomax Technology Co., Ltd QEMU Tablet
`;
    assert.equal(await stage.done('devices'), text);
    assert.equal((await runPvusb(['devices'], { env: stage.env, columns: 200 })).stdout, text);
  });

  it('a terminal of 80 columns gets what it has room for', async () => {
    await using stage = await openStage(parseWorldText(DEEP));
    writeFileSync(join(stage.dir, 'usb.ids'), USB_IDS);
    const { stdout } = await runPvusb(['devices'], { env: stage.env, columns: 80 });
    assert.equal(
      stdout,
      `BUSID        ADDR  ID         SERIAL  USED BY       ATTACHABLE  NAME
1-1          1.2   05e3:0608          hub           no (hub)    USB2.0 Hub
1-1.4        1.3   05e3:0608          hub           no (hub)    USB2.0 Hub
1-1.4.4      1.4   05e3:0608          hub           no (hub)    USB2.0 Hub
1-1.4.4.3    1.5   05e3:0608          hub           no (hub)    USB2.0 Hub
1-1.4.4.3.1  1.6   046d:0825          uvcvideo,sn…  yes         HD Webcam C270
1-1.4.4.3.2  1.7   046d:0825          uvcvideo,sn…  yes         HD Webcam C270
2-1          2.2   10c4:ea60  0001    -             yes         Sonoff Zigbee 3…
2-2          2.3   10c4:ea60  612     -             yes         HubZ Smart Home…
2-3          2.4   0627:0001          usbhid        yes         QEMU USB Keyboa…
`,
    );
  });

  it('the table in the README is what the command prints', async () => {
    const { devices, ...rest } = labWorld();
    const table = /^# pvusb devices\n((?:[^#].*\n)+)/m.exec(readProjectFile('README.md'))![1]!;
    const busids = linesOf(table)
      .slice(1)
      .map((line) => line.split(' ')[0]);
    const shown = devices.filter(({ busid }) => busid.startsWith('usb') || busids.includes(busid));
    await using stage = await openStage({ ...rest, devices: shown });
    assert.equal(await stage.done('devices'), table);
  });

  it('every command that mentions a device names it in full on the narrowest terminal', async () => {
    await using stage = await openStage(parseWorldText(DEEP));
    await stage.done('attach', 'u1', '1-1.4.4.3.2');
    await stage.done('attach', 'u1', '2-1');
    await stage.done('attach', 'u1', '2-2');
    const said = async (...argv: readonly string[]): Promise<string> =>
      (await runPvusb(argv, { env: stage.env, columns: 1 })).stdout;
    assert.match(await said('devices'), /^1-1\.4\.4\.3\.2 .* u1 +no \(in use\) /m);
    assert.match(await said('list'), /^ {4}port 1 {3}1-1\.4\.4\.3\.2 {2}046d:0825 {2}HD Webc…$/m);
    assert.match(await said('list', 'u1'), /^ {4}port 2 {3}2-1 {10}10c4:ea60:0001 {2}Sonoff …$/m);
    assert.match(
      await said('controller', 'info', 'u1', '0'),
      /: 1-1\.4\.4\.3\.2 in port 1, 2-1 in port 2, 2-2 in port 3$/m,
    );
    assert.match(await said('detach', '1-1.4.4.3.2', '--dry-run'), /^detach 1-1\.4\.4\.3\.2 from port 1 of/m);
    await stage.sim.unplug('1-1.4.4.3.2');
    await stage.sim.idle();
    assert.match(await said('list', 'u1'), /^ {4}port 1 {3}1-1\.4\.4\.3\.2 {2}MISSING: pulled out/m);
    assert.match(await said('doctor'), /1-1\.4\.4\.3\.2/);
  });
});
