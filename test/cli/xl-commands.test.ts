import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { differences, openStage, runPvusb, type Stage } from './stage.js';

const SILENT = { status: 0, stdout: '', stderr: '' };
const COMMANDS = {
  'usbctrl-attach': 1,
  'usbctrl-detach': 2,
  'usbdev-attach': 2,
  'usbdev-detach': 3,
  'usb-list': 1,
} as const;

describe("the command line of xl's commands", () => {
  const nowhere = { env: { XENSTORED_PATH: '/nonexistent/socket' } };

  for (const [name, least] of Object.entries(COMMANDS)) {
    it(`${name} explains itself on standard output`, async () => {
      for (const argv of [
        [name, '--help'],
        [name, '-h'],
        [name, 'u1', '-h'],
        ['help', name],
      ]) {
        const { status, stdout, stderr } = await runPvusb(argv, nowhere);
        assert.deepEqual([status, stderr], [0, '']);
        assert.match(stdout, new RegExp(`^Usage: pvusb ${name} <Domain>.*\n\n[A-Z].*\\.\n`));
      }
    });

    it(`${name} with too few arguments prints its usage and exits with 2`, async () => {
      for (let count = 0; count < least; count++) {
        const given = ['u1', '0', '1'].slice(0, count);
        const { status, stdout, stderr } = await runPvusb([name, ...given], nowhere);
        assert.deepEqual([status, stdout], [2, '']);
        const wanted = `'pvusb ${name}' requires at least ${least} argument${least === 1 ? '' : 's'}.`;
        assert.ok(stderr.startsWith(`${wanted}\n\nUsage: pvusb ${name} <Domain>`), stderr);
      }
    });

    it(`${name} with an option that it does not know prints its usage and exits with 2`, async () => {
      for (const option of ['--frob', '-x', '-vx', '--sysfs-root']) {
        const { status, stdout, stderr } = await runPvusb([name, 'u1', '0', '1', option], nowhere);
        assert.deepEqual([status, stdout], [2, '']);
        assert.ok(stderr.startsWith(`pvusb ${name}: unknown option "${option}".\n\nUsage: `), stderr);
      }
    });
  }

  it('too many arguments are a usage error as well', async () => {
    for (const [argv, says] of [
      [['usbdev-detach', 'u1', '0', '1', '2'], "'pvusb usbdev-detach' takes 3 arguments."],
      [['usbctrl-detach', 'u1', '0', '1'], "'pvusb usbctrl-detach' takes 2 arguments."],
      [['usb-list', 'u1', 'u2'], "'pvusb usb-list' takes 1 argument."],
    ] as const) {
      const { status, stdout, stderr } = await runPvusb(argv, nowhere);
      assert.deepEqual([status, stdout], [2, '']);
      assert.ok(stderr.startsWith(`${says}\n\nUsage: `), stderr);
    }
  });

  it('exits with 1 when there is no xenstored, and says so as data on request', async () => {
    const { status, stdout, stderr } = await runPvusb(['usb-list', 'u1', '--json'], nowhere);
    assert.equal(status, 1);
    assert.match(stderr, /^pvusb: .*there is no \/nonexistent\/socket\.\n.*\(xenstore-unreachable\)\n$/);
    assert.equal(JSON.parse(stdout).error.code, 'xenstore-unreachable');
  });
});

describe("xl's commands on a host", () => {
  let stage: Stage;
  before(async () => {
    stage = await openStage();
  });
  after(() => stage[Symbol.asyncDispose]());

  const ports = async () => (await stage.done('usb-list', 'u1')).match(/^ {2}Port.*Bus.*$/gm) ?? [];
  const controllers = async () => (await stage.done('usb-list', 'u1')).match(/^\d.*$/gm) ?? [];

  it('say nothing when they succeed', async () => {
    assert.deepEqual(await stage.run('usbctrl-attach', 'u1'), SILENT);
    assert.deepEqual(await stage.run('usbdev-attach', 'u1', 'hostbus=4', 'hostaddr=2'), SILENT);
    assert.deepEqual(await ports(), ['  Port 1: Bus 004 Device 002']);
    assert.equal(stage.sim.usb.driverOf('4-1:1.0'), 'usbback');
    assert.deepEqual(await stage.run('usbdev-detach', 'u1', '0', '1'), SILENT);
    assert.deepEqual(await ports(), []);
    assert.equal(stage.sim.usb.driverOf('4-1:1.0'), 'usb-storage');
    assert.deepEqual(await stage.run('usbctrl-detach', 'u1', '0'), SILENT);
    assert.deepEqual(await controllers(), []);
  });

  it('take the last of a repeated key', async () => {
    const spec = ['ports=2', 'version=2', 'ports=3', 'version=1', 'type=qusb', 'type=pv'];
    assert.deepEqual(await stage.run('usbctrl-attach', 'u1', ...spec), SILENT);
    assert.deepEqual(await controllers(), ['0      pv           0   4     1       3    ']);
  });

  it('read a type in any case, and keys only in small letters', async () => {
    assert.deepEqual(await stage.run('usbctrl-attach', 'u1', 'type=Pv', 'ports=1'), SILENT);
    assert.deepEqual(await stage.run('usbctrl-attach', 'u1', 'type=AUTO', 'ports=1'), SILENT);
    const { status, stderr } = await stage.run('usbctrl-attach', 'u1', 'Type=pv');
    assert.equal(status, 2);
    assert.match(stderr, /Unknown string "Type=pv" in a usbctrl specification\./);
    assert.equal((await controllers()).length, 3);
  });

  it('take type=hostdev, numbers in hex, and port=0 for any port', async () => {
    const spec = ['type=HOSTDEV', 'hostbus=0x4', 'hostaddr=0X2', 'controller=0x0', 'port=0'];
    assert.deepEqual(await stage.run('usbdev-attach', 'u1', ...spec), SILENT);
    assert.deepEqual(await ports(), ['  Port 1: Bus 004 Device 002']);
    assert.deepEqual(await stage.run('usbdev-attach', 'u1', 'hostbus=3', 'hostaddr=9', 'port=0'), SILENT);
  });

  it('take leading zeros that mean the same to xl and to people, as lsusb prints them', async () => {
    const before = await stage.look();
    assert.deepEqual(await stage.run('usbctrl-attach', 'u2', 'version=02', 'ports=08'), SILENT);
    for (const spec of [
      ['hostbus=002', 'hostaddr=002', 'controller=00', 'port=00'],
      ['hostbus=002', 'hostaddr=2', 'port=08', 'controller=0'],
    ]) {
      assert.deepEqual(await stage.run('usbdev-attach', 'u2', ...spec), SILENT);
      const [, port] = /^ {2}Port (\d): Bus 002 Device 002$/m.exec(await stage.done('usb-list', 'u2'))!;
      assert.equal(port, spec.includes('port=08') ? '8' : '1');
      assert.deepEqual(await stage.run('usbdev-detach', 'u2', '00', `0${port}`), SILENT);
    }
    assert.deepEqual(await stage.run('usbctrl-detach', 'u2', '00'), SILENT);
    const left = differences(before, await stage.look());
    assert.deepEqual(
      left.filter((line) => !/\/libxl\/2\/device /.test(line)),
      [],
    );
  });

  it('take options anywhere, and everything after two hyphens as arguments', async () => {
    assert.deepEqual(await stage.run('usbdev-detach', '-f', 'u1', '-vT', '0', '--', '1'), SILENT);
    assert.deepEqual(await ports(), ['  Port 2: Bus 003 Device 009']);
    const { status, stderr } = await stage.run('usb-list', '--', '--help');
    assert.deepEqual([status, stderr.split('\n')[0]], [1, 'pvusb: There is no domain "--help".']);
  });

  it('understand controller=N port=N, as the man page of xl has it', async () => {
    await stage.done('usbdev-attach', 'u1', 'hostbus=4', 'hostaddr=2', 'controller=0', 'port=3');
    assert.deepEqual(await stage.run('usbdev-detach', 'u1', 'controller=0', 'port=3'), SILENT);
    assert.deepEqual(await stage.run('usbctrl-detach', 'u1', 'controller=2'), SILENT);
    assert.equal(stage.sim.usb.driverOf('4-1:1.0'), 'usb-storage');
    assert.equal((await controllers()).length, 2);
  });

  it('show their steps with --dry-run and change nothing', async () => {
    const before = await stage.look();
    const steps = await stage.done('usbdev-attach', 'u1', 'hostbus=4', 'hostaddr=2', '--dry-run');
    assert.match(steps, /^attach 4-1 to port 1 of controller 0 of u1 \(domain 1\)\n {2}1\. write /);
    const data = JSON.parse(await stage.done('usbctrl-detach', 'u1', '0', '--dry-run', '--json'));
    assert.deepEqual(data.result, { domid: 1, devid: 0 });
    assert.ok(data.plan.steps.length > 1);
    assert.deepEqual(differences(before, await stage.look()), []);
  });

  /** What xl misreads, and the message that it gets here. */
  const TRAPS: readonly (readonly [command: string, says: RegExp])[] = [
    ['usbdev-attach u1 hostbus=04 hostaddr=00', /The device number "00" is not between 1 and 127\./],
    [
      'usbdev-attach u1 hostbus=011 hostaddr=2',
      /The bus number "011" has a leading zero, .* decimal 11 or.* octal 9/,
    ],
    [
      'usbdev-attach u1 hostbus=4 hostaddr=010',
      /The device number "010" has a leading zero, .* decimal 10 or.* octal 8/,
    ],
    [
      'usbdev-attach u1 hostbus=4 hostaddr=09',
      /The device number "09" has a leading zero, .* decimal 9: write/,
    ],
    ['usbdev-attach u1 hostbus=257 hostaddr=2', /The bus number "257" is not between 1 and 255\./],
    ['usbdev-attach u1 hostbus=4 hostaddr=258', /The device number "258" is not between 1 and 127\./],
    ['usbdev-attach u1 hostbus=0x104 hostaddr=2', /The bus number "0x104" is not between 1 and 255\./],
    [
      'usbdev-attach u1 hostbus=4294967300 hostaddr=2',
      /The bus number "4294967300" is not between 1 and 255\./,
    ],
    ['usbdev-attach u1 hostbus=0 hostaddr=0', /The bus number "0" is not between 1 and 255\./],
    ['usbdev-attach u1 hostbus=-4 hostaddr=2', /"-4" is not a bus number\./],
    ['usbdev-attach u1 hostbus= hostaddr=2', /"" is not a bus number\./],
    ['usbdev-attach u1 hostbus=4 hostaddr=2x', /"2x" is not a device number\./],
    ['usbdev-attach u1 hostbus=4 hostaddr=2 controller=0 port=2x', /"2x" is not a port number\./],
    [
      'usbdev-attach u1 hostbus=4 hostaddr=2 controller=0 port=99',
      /The port number "99" is not between 1 and 31\./,
    ],
    ['usbdev-attach u1 hostbus=4 hostaddr=2 controller=0 port=-1', /"-1" is not a port number\./],
    ['usbdev-attach u1 hostbus=4 hostaddr=2 controller=0 port=4', /port 4|has ports 1 to 3/i],
    ['usbdev-attach u1 hostbus=4 hostaddr=2 controller=abc', /"abc" is not a controller number\./],
    ['usbdev-attach u1 hostbus=4 hostaddr=2 type=disk', /There is no device type "disk", only hostdev\./],
    ['usbdev-attach u1 hostbus=4 hostaddr=2 foo=1', /Unknown string "foo=1" in a usbdev specification\./],
    ['usbdev-attach u1 hostbus=4,hostaddr=2 port=1', /named by hostbus=N and hostaddr=N\./],
    ['usbdev-attach u1 hostbus=4 port=1', /named by hostbus=N and hostaddr=N\./],
    ['usbdev-attach 9999 hostbus=4 hostaddr=2', /There is no domain 9999\./],
    ['usbdev-attach u1 hostbus=9 hostaddr=1', /No USB device "9\.1" is plugged in\./],
    ['usbdev-attach u1 hostbus=3 hostaddr=5', /3-5 is a hub/],
    ['usbdev-attach u1 hostbus=3 hostaddr=1', /usb3 is a root hub/],
    ['usbctrl-attach u1 type=foo', /A controller's type is auto, pv, qusb or devicemodel, not "foo"\./],
    ['usbctrl-attach u1 version=4', /The USB version "4" is not between 1 and 3\./],
    ['usbctrl-attach u1 ports=32', /The number of ports "32" is not between 1 and 31\./],
    ['usbctrl-attach 9999', /There is no domain 9999\./],
    ['usbctrl-detach u1 abc', /"abc" is not a controller number\./],
    ['usbctrl-detach u1 port=0', /"port=0" is not a controller number\./],
    ['usbctrl-detach 9999 0', /There is no domain 9999\./],
    ['usbctrl-detach u1 9', /u1 \(domain 1\) has no USB controller 9\./],
    ['usbdev-detach u1 port=2 controller=0', /"port=2" is not a controller number\./],
    ['usbdev-detach u1 0 00', /The port number "00" is not between 1 and 65535\./],
    ['usbdev-detach u1 0 x', /"x" is not a port number\./],
    ['usbdev-detach u1 0 1', /Nothing is attached to port 1 of controller 0 of u1 \(domain 1\)\./],
    ['usbdev-detach u1 9 1', /u1 \(domain 1\) has no USB controller 9\./],
    ['usbdev-detach nosuch 0 1', /There is no domain "nosuch"\./],
    ['usb-list 9999', /There is no domain 9999\./],
    ['usb-list nosuch', /There is no domain "nosuch"\./],
  ];

  it('refuse what xl misreads, each with its message and its status, and change nothing', async () => {
    const before = await stage.look();
    for (const [command, says] of TRAPS) {
      const { status, stdout, stderr } = await stage.run(...command.split(' '));
      const expected = stderr.endsWith(' (invalid-argument)\n') ? 2 : 1;
      assert.deepEqual([command, status, stdout], [command, expected, '']);
      assert.match(stderr, says, command);
      assert.match(stderr, /^pvusb: [^\n]+[.]\n[A-Z][^\n]+ \([a-z-]+\)\n$/, command);
    }
    assert.deepEqual(differences(before, await stage.look()), []);
  });
});
