import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { formatDevices } from '../../src/cli/commands/devices.js';
import { printableJson, printableJsonText, quoteWord } from '../../src/cli/printable.js';
import { ProgressLine } from '../../src/cli/progress.js';
import { displayWidth, fit, formatTable } from '../../src/cli/table.js';
import type { Inventory } from '../../src/pvusb/model/inventory.js';
import { labWorld } from '../../src/sim/index.js';
import {
  escapeText,
  parseBusid,
  parseDriverName,
  parseInterfaceId,
  type UsbDevice,
} from '../../src/sysfs/index.js';
import { printable } from '../../src/sysfs/text.js';
import { openStage, runPvusb, type Stage } from './stage.js';

/** Whatever steers a terminal or the reading of a line. */
const STEERING = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u;

/** A text of any characters, those that are two columns wide or none more often. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({
    unit: fc.constantFrom('漢', '한', '😀', 'e\u0301', '\u001b[31m', '\u202e', 'a', ' '),
    maxLength: 100,
  }),
);

describe('a table', () => {
  it('fits into 80 columns whatever the devices call themselves', () => {
    const device = fc
      .record({ manufacturer: anyText, product: anyText, driver: fc.constantFrom('usbhid', 'd'.repeat(64)) })
      .map(
        ({ manufacturer, product, driver }): UsbDevice => ({
          busid: parseBusid('255-255.255.255.255.255.255.255')!,
          kind: 'device',
          bus: 255,
          address: 127,
          vendorId: '46f4',
          productId: '0001',
          deviceClass: '00',
          speedMbps: 20_000,
          manufacturer: escapeText(manufacturer),
          product: escapeText(product),
          interfaces: ['03', '08', '0e'].map((code, number) => ({
            id: parseInterfaceId(`255-255.255.255.255.255.255.255:1.${number}`)!,
            number,
            classes: `${code}/00/00`,
            driver: parseDriverName(driver)!,
          })),
        }),
      );
    const nothing = {
      domains: [],
      controllers: [],
      savedDrivers: [],
      qemus: [],
      saved: [],
      orphanBackends: [],
    };
    fc.assert(
      fc.property(fc.array(device, { minLength: 1, maxLength: 3 }), (devices) => {
        const inventory: Inventory = { format: 'pvusb-inventory-1', usbback: true, devices, ...nothing };
        const text = formatDevices(inventory, new Map());
        const lines = text.trimEnd().split('\n');
        assert.equal(lines.length, devices.length + 1);
        for (const line of lines) {
          assert.ok(displayWidth(line) <= 80, line);
          assert.ok(!STEERING.test(line), JSON.stringify(line));
        }
      }),
    );
  });

  it('takes the room of a wider terminal, and no less than 80 columns of a narrow one', () => {
    const row = ['a'.repeat(50), 'b'.repeat(50)];
    assert.equal(formatTable(['A', 'B'], [row], 200).split('\n')[1], row.join('  '));
    assert.equal(displayWidth(formatTable(['A', 'B'], [row], 20).split('\n')[1]!), 80);
    assert.equal(displayWidth(formatTable(['A', 'B'], [row]).split('\n')[1]!), 80);
  });

  it('lines up characters that are two columns wide or none', () => {
    const lines = formatTable(
      ['NAME', 'X'],
      [
        ['漢字😀', 'x'],
        ['e\u0301a', 'x'],
        ['𠀀', 'x'],
      ],
    ).split('\n');
    for (const line of lines.slice(1, -1)) assert.equal(displayWidth(line.slice(0, line.indexOf('x'))), 8);
  });

  it('cuts a text at a whole character', () => {
    assert.equal(fit('abc', 3), 'abc');
    assert.equal(fit('abcd', 3), 'ab…');
    assert.equal(fit('漢字漢字', 6), '漢字…');
  });
});

describe('what others chose', () => {
  it('is printed without anything that steers a terminal, and stays told apart', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.ok(!STEERING.test(printable(text)));
        assert.ok(!STEERING.test(quoteWord(text)));
        assert.ok(quoteWord(text.repeat(50)).length < 1200);
      }),
    );
  });

  it('is the same in JSON after parsing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const json = printableJson({ [text]: [text] });
        assert.ok(!STEERING.test(json.replaceAll('\n', '')));
        // A lone surrogate is an escape in JSON by itself; all else is compared as it is.
        assert.deepEqual(JSON.parse(json), { [text]: [text] });
      }),
    );
  });

  it('stands in strings of JSON: the white space between its tokens stays', () => {
    const text = '{\r\n\t"a":\r\n\t\t"\u009b",\t"b": 2\r\n}';
    const json = printableJsonText(text);
    assert.equal(json, text.replace('\u009b', '\\u009b'));
    assert.deepEqual(JSON.parse(json), { a: '\u009b', b: 2 });
  });

  it('never reaches the output as it is: names of devices and domains, junk in ports', async () => {
    const evil = '\u001b[2J\u001b]0;owned\u0007\u009b31m\u202e\r\nDomain 0, "root"';
    const world = labWorld();
    const devices = world.devices.map((device) =>
      ['1-1', '4-1'].includes(device.busid)
        ? { ...device, manufacturer: evil, product: evil, serial: `${evil}${device.busid}` }
        : device,
    );
    await using stage = await openStage({ ...world, devices });
    await stage.done('attach', 'u1', '4-1');
    const dom0 = stage.sim.store.handle(0);
    await dom0.write('/local/domain/2/name', evil);
    await dom0.write('/local/domain/0/backend/vusb/1/0/port/2', evil);
    const shown: string[] = [];
    for (const argv of [
      ['devices'],
      ['devices', '--json'],
      ['list'],
      ['list', '--json'],
      ['list', evil],
      ['attach', 'u2', '46f4:0001'],
      ['attach', evil, evil],
      ['attach', evil, '3-2', '--dry-run'],
      ['attach', 'u1', '3-2', '-c', evil],
      ['detach', evil],
      ['detach', '46f4:0001'],
      ['controller', 'info', 'u1', '0'],
      ['controller', 'add', 'u1', '-t', evil],
      ['doctor'],
      ['inventory'],
      ['usb-list', 'u1'],
      ['usb-list', 'u1', '--json'],
      ['usb-list', evil],
      ['usbctrl-attach', 'u1', evil],
      ['usbdev-attach', 'u1', `hostbus=${evil}`, 'hostaddr=1'],
      ['sim', '--dir', `/nonexistent/${evil}`],
      ['sim', '--dir', stage.dir, '--world', evil],
      [evil],
      [`--${evil}`],
      ['help', evil],
      ['attach', `--${evil}`],
    ]) {
      const { stdout, stderr } = await stage.run(...argv);
      shown.push(stdout, stderr);
      const lines = `${stdout}${stderr}`
        .split('\n')
        .filter((line) => STEERING.test(line.replaceAll('\t', '')));
      assert.deepEqual(lines, [], argv.join(' '));
      assert.ok(!/^Domain 0/m.test(stdout + stderr), argv.join(' '));
    }
    assert.ok(shown.some((text) => text.includes('\\x1b[2J\\x1b]0;owned\\x07\\x9b31m\\u{202e}')));
  });
});

describe('a terminal', () => {
  let stage: Stage;
  before(async () => {
    stage = await openStage();
  });
  after(() => stage[Symbol.asyncDispose]());

  it('and a pipe get the same text: no colour, no escape sequence', async () => {
    const { env } = stage;
    for (const argv of [
      ['devices'],
      ['list'],
      ['doctor'],
      ['--help'],
      ['attach', 'u1', '4-1', '--dry-run'],
    ]) {
      const [pipe, terminal] = await Promise.all([
        runPvusb(argv, { env }),
        runPvusb(argv, { env, hasColour: true, showsProgress: true, columns: 80 }),
      ]);
      assert.ok(!pipe.stdout.includes('\u001b'));
      assert.deepEqual(terminal, pipe);
    }
  });

  it('that is wide shows more of the names', async () => {
    const { stdout } = await runPvusb(['devices'], { env: stage.env, columns: 120 });
    assert.match(stdout, /RNDIS\/QEMU USB Network Device$/m);
  });

  it('shows a line for a step that takes long, and takes it away', async (test) => {
    test.mock.timers.enable({ apis: ['setTimeout'] });
    let shown = '';
    const terminal = {
      out: () => undefined,
      err: (text: string) => {
        shown += text;
      },
      showsProgress: true,
      hasColour: false,
      columns: 80,
      env: {},
      signal: new AbortController().signal,
    };
    const line = new ProgressLine(terminal);
    line.show('waiting for the guest ...');
    line.clear();
    test.mock.timers.tick(1000);
    assert.equal(shown, '');
    line.show('waiting for the guest ...');
    test.mock.timers.tick(1000);
    assert.equal(shown, '\r\u001b[Kwaiting for the guest ...');
    line.clear();
    line.clear();
    assert.equal(shown, '\r\u001b[Kwaiting for the guest ...\r\u001b[K');
    shown = '';
    new ProgressLine({ ...terminal, showsProgress: false }).show('waiting for the guest ...');
    test.mock.timers.tick(1000);
    assert.equal(shown, '');
  });
});

describe('help', () => {
  const COMMANDS = [
    'devices',
    'list',
    'inventory',
    'attach',
    'detach',
    'doctor',
    'sim',
    'demo',
    'completion',
  ];

  it('of every command fits into 80 columns and goes to standard output', async () => {
    const controllers = ['add', 'remove', 'destroy', 'info'].map((name) => ['controller', name]);
    for (const words of [[], ...COMMANDS.map((name) => [name]), ['controller'], ...controllers]) {
      const { status, stdout, stderr } = await runPvusb([...words, '--help']);
      assert.deepEqual([words, status, stderr], [words, 0, '']);
      assert.ok(stdout.startsWith(['Usage: pvusb', ...words].join(' ')), stdout);
      for (const line of stdout.split('\n')) assert.ok(line.length <= 82, line);
      assert.equal((await runPvusb(['help', ...words])).stdout, stdout);
    }
  });

  it('without a command is the help of all, and -V is the version', async () => {
    assert.equal((await runPvusb([])).stdout.split('\n')[0], 'Usage: pvusb [options] [command]');
    assert.match((await runPvusb(['-V'])).stdout, /^\d+\.\d+\.\d+(-dev)?\n$/);
  });
});
