import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { printableJson, quoteWord } from '../../src/cli/printable.js';
import { ProgressLine } from '../../src/cli/progress.js';
import { labWorld } from '../../src/sim/index.js';
import { printableJsonText } from '../../src/sysfs/index.js';
import { printable } from '../../src/sysfs/text.js';
import { anyText } from '../support/any-text.js';
import { openStage, runPvusb, type Stage, terminalLike } from './stage.js';

/** Whatever controls a terminal or the reading of a line. */
const STEERING = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u;

describe('what others chose', () => {
  it('is printed without anything that controls a terminal, and stays distinguishable', () => {
    fc.assert(
      fc.property(anyText(), (text) => {
        assert.ok(!STEERING.test(printable(text)));
        assert.ok(!STEERING.test(quoteWord(text)));
        assert.ok(quoteWord(text.repeat(50)).length < 1200);
      }),
    );
  });

  it('is the same in JSON after parsing', () => {
    fc.assert(
      fc.property(anyText(), (text) => {
        const json = printableJson({ [text]: [text] });
        assert.ok(!STEERING.test(json.replaceAll('\n', '')));
        // JSON escapes a lone surrogate by itself; everything else is compared as it is.
        assert.deepEqual(JSON.parse(json), { [text]: [text] });
      }),
    );
  });

  it('is in JSON strings: the white space between tokens stays', () => {
    const text = '{\r\n\t"a":\r\n\t\t"\u009b",\t"b": 2\r\n}';
    const json = printableJsonText(text);
    assert.equal(json, text.replace('\u009b', '\\u009b'));
    assert.deepEqual(JSON.parse(json), { a: '\u009b', b: 2 });
  });

  it('never reaches the output unescaped: names of devices and domains, junk in ports', async () => {
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

  it('that is wide and a pipe get the same text: no colour, no escape sequence', async () => {
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
        runPvusb(argv, { env, showsProgress: true, columns: 200 }),
      ]);
      assert.ok(!pipe.stdout.includes('\u001b'));
      assert.deepEqual(terminal, pipe);
    }
  });

  it('shows a line for a step that takes long, and removes it', async (test) => {
    test.mock.timers.enable({ apis: ['setTimeout'] });
    let shown = '';
    const terminal = terminalLike({
      err: (text) => {
        shown += text;
      },
      showsProgress: true,
      errColumns: 27,
    });
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
    line.show('waiting for 漢字漢字漢字漢字 ...');
    test.mock.timers.tick(1000);
    assert.equal(
      shown,
      '\r\u001b[Kwaiting for 漢字漢字漢字…',
      'never wider than the terminal, which would wrap it',
    );
    line.clear();
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
