/** The commands that know xl's files, and libxl's JSON. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { qemuWorld } from '../../src/sim/index.js';
import { differences, ERROR_TEXT, openMade, openStage, type Stage } from './stage.js';

const CONFIGURATION = `# The guest with the stick.
name = "u2"
memory = 256
usbctrl = [ "type=qusb,ports=4" ]
usbdev = [ "type=hostdev,hostbus=4,hostaddr=2,controller=0,port=3",
           'hostbus=3,hostaddr=2' ]
`;

describe('the commands that know files', () => {
  let stage: Stage;
  let file: (name: string, text: string | Buffer) => string;
  before(async () => {
    stage = await openMade(qemuWorld({ usbback: false }));
    file = (name, text) => {
      writeFileSync(join(stage.dir, name), text);
      return join(stage.dir, name);
    };
  });
  after(() => stage[Symbol.asyncDispose]());

  it('apply shows its plans first, then does them, then has nothing to do', async () => {
    const path = file('u2.cfg', CONFIGURATION);
    const before = await stage.look();
    const plans = await stage.done('apply', 'u2', path, '--dry-run');
    assert.match(
      plans,
      /^attach 4-1 to port 3 of controller 0 of u2 \(domain 2\)\n {2}1\. [\s\S]*\nattach 3-2 to port 1 /,
    );
    assert.match(plans, /\nNothing was changed \(--dry-run\)\.\n$/);
    assert.deepEqual(differences(before, await stage.look()), []);
    assert.equal(
      await stage.done('apply', 'u2', path),
      '4-1 is attached to port 3 of controller 0 of domain u2.\n' +
        '3-2 is attached to port 1 of controller 0 of domain u2.\n' +
        `Domain u2 matches ${path}.\n`,
    );
    assert.equal(await stage.done('apply', 'u2', path), `Domain u2 matches ${path}.\n`);
  });

  it('what export prints is what exists: applied, it changes nothing', async () => {
    for (const form of [[], ['--json=libxl']]) {
      const path = file('exported', await stage.done('export', 'u2', ...form));
      assert.deepEqual(JSON.parse(await stage.done('apply', 'u2', path, '--json')), {
        domid: 2,
        changes: [],
      });
    }
  });

  it('list --json=libxl is what xl list -l prints, and can be applied too', async () => {
    const text = await stage.done('list', '--json=libxl');
    const domains = JSON.parse(text) as { domid: number; config: { usbdevs?: unknown } }[];
    assert.deepEqual(
      domains.map(({ domid }) => domid),
      [1, 2, 3, 4],
    );
    assert.deepEqual(domains[1]!.config.usbdevs, [
      { ctrl: 0, port: 3, 'type.hostdev': { hostbus: 4, hostaddr: 2 } },
      { ctrl: 0, port: 1, 'type.hostdev': { hostbus: 3, hostaddr: 2 } },
    ]);
    assert.match(text, /^\[\n {4}\{\n {8}"domid": 1,\n {8}"config": \{\n {12}"c_info": \{/);
    const path = file('all.json', text);
    assert.equal(await stage.done('apply', 'u2', path), `Domain u2 matches ${path}.\n`);
    const info = JSON.parse(await stage.done('controller', 'info', 'u2', '0', '--json=libxl'));
    assert.deepEqual([info.type, info.ports, info.frontend_id], ['qusb', 4, 2]);
  });

  it('an error says where in the file, and nothing is changed', async () => {
    const before = await stage.look();
    for (const [name, text, says] of [
      ['a.cfg', 'usbdev = [ "hostbus=4" ]', ':1:12: A device is named by hostbus=N and hostaddr=N.'],
      ['b.cfg', 'usbctrl = [\n "type=qusb,ports=40" ]', ':2:'],
      ['c.cfg', 'usbdev = [\n  "hostbus=9,hostaddr=9" ]', ':2:3: No USB device "9.9" is plugged in.'],
      ['d.json', '{ "usbdevs": [ {} ] }', 'hostbus and hostaddr are missing'],
    ] as const) {
      const { status, stdout, stderr } = await stage.run('apply', 'u2', file(name, text));
      assert.deepEqual([status, stdout], [1, ''], stderr);
      assert.match(stderr, ERROR_TEXT);
      assert.ok(stderr.includes(says), stderr);
    }
    const { status, stderr } = await stage.run('apply', 'u2', join(stage.dir, 'none.cfg'));
    assert.equal(status, 1);
    assert.match(
      stderr,
      /There is no file .*none\.cfg\.\nCheck the name of the file\. \(invalid-configuration\)/,
    );
    assert.deepEqual(differences(before, await stage.look()), []);
  });

  it('what xl accepts is accepted, in ISO 8859-1 and with dotted names; a note tells what xl does not read', async () => {
    const usb =
      'name = "u2"\nusbctrl=["type=qusb,ports=04"]\nusbdev=["hostbus=004,hostaddr=002,port=03,controller=0", "hostbus=03,hostaddr=2"]\n';
    const commented = Buffer.from(`# cl\xe9 USB r\xe9serv\xe9e\n${usb}`, 'latin1');
    for (const text of [commented, `vif.default.script="vif-bridge"\n${usb}`]) {
      const path = file('of-xl.cfg', text);
      assert.equal(await stage.done('apply', 'u2', path), `Domain u2 matches ${path}.\n`);
    }
    for (const [text, at, says] of [
      [
        `${usb}# vim: ft=conf`,
        '4:1',
        'xl does not read this file: no newline ends the comment in its last line.',
      ],
      [usb.replaceAll('\n', '\r\n'), '1:12', 'xl does not read this file: its lines end in CR LF.'],
      [`extra = "\\x41"\n${usb}`, '1:10', 'xl does not read this file: there is no escape "\\x".'],
      [`extra = "\\101"\n${usb}`, '1:10', 'xl loses the escape "\\101": write the character itself.'],
    ] as const) {
      const path = file('not-of-xl.cfg', text);
      for (const argv of [
        ['apply', 'u2', path],
        ['prepare', path, '--json'],
      ]) {
        const { status, stderr } = await stage.run(...argv);
        assert.deepEqual([status, stderr], [0, `pvusb: ${path}:${at}: ${says}\n`]);
      }
    }
  });

  it('prepare finds the guest by the name in its file, and takes nothing away', async () => {
    const path = file(
      'more.cfg',
      'name="u2"\nusbctrl=["type=qusb,ports=4"]\nusbdev=["hostbus=1,hostaddr=2"]\n',
    );
    assert.equal(
      await stage.done('prepare', path),
      `1-1 is attached to port 2 of controller 0 of domain u2.\nDomain u2 has everything that ${path} names.\n`,
    );
    assert.match(await stage.done('list', 'u2'), /3-2[\s\S]*1-1[\s\S]*4-1/);
    const nameless = file('nameless.cfg', 'usbdev=["hostbus=1,hostaddr=2"]');
    assert.match((await stage.run('prepare', nameless)).stderr, /--domain[\s\S]*\(invalid-configuration\)/);
    const { status, stderr } = await stage.run('prepare', nameless, '--domain', 'u7', '--wait', '0');
    assert.deepEqual([status, /There is no domain "u7"/.test(stderr)], [1, true]);
    assert.equal((await stage.run('prepare', path, '--wait', 'long')).status, 2);
  });

  it("prepare finds the guest by the name in libxl's JSON too", async () => {
    const config = JSON.parse(await stage.done('export', 'u2', '--json=libxl'));
    assert.equal(config.c_info.name, 'u2');
    for (const value of [config, { domid: 2, config }, [{ domid: 2, config }]]) {
      const path = file('u2.json', `${JSON.stringify(value)}\0`);
      assert.equal(await stage.done('prepare', path), `Domain u2 has everything that ${path} names.\n`);
    }
    const nameless = { c_info: { name: 2 }, usbdevs: [] };
    for (const value of [{}, [], [{ config }, { config }], nameless, [{ config: null }]]) {
      const { status, stderr } = await stage.run('prepare', file('nameless.json', JSON.stringify(value)));
      assert.equal(status, 1);
      assert.match(stderr, ERROR_TEXT);
      assert.match(stderr, /\(invalid-configuration\)/);
    }
  });

  it("a name in a file is never another guest's number", async () => {
    const before = await stage.look();
    const settings = 'usbdev=["hostbus=2,hostaddr=2"]';
    for (const [name, text] of [
      ['4.cfg', `name="4"\n${settings}`],
      ['number.cfg', `name=4\n${settings}`],
      ['4.json', '{"c_info":{"name":"4"},"usbdevs":[]}'],
    ] as const) {
      const { status, stderr } = await stage.run('prepare', file(name, text));
      assert.equal(status, 1);
      assert.match(stderr, /"4", which looks like a number[\s\S]*--domain[\s\S]*\(invalid-configuration\)/);
    }
    assert.deepEqual(differences(before, await stage.look()), []);
    const path = file('4.cfg', `name="4"\n${settings}`);
    const { status, stderr } = await stage.run('prepare', path, '--domain', 'u2');
    assert.deepEqual([status, /is for "4", and not for u2 \(domain 2\)\./.test(stderr)], [1, true]);
    assert.deepEqual(differences(before, await stage.look()), []);
  });

  it('apply and prepare that fail halfway report what they did, in JSON too', async () => {
    await using other = await openMade(qemuWorld({ usbback: true }));
    const text = 'name="u1"\nusbctrl=["type=pv"]\nusbdev=["hostbus=4,hostaddr=2", "hostbus=3,hostaddr=2"]\n';
    const path = file('halfway.cfg', text);
    other.sim.usb.failBind({ interface: '3-2:1.0', driver: 'usbback' }, 'EIO');
    for (const argv of [
      ['apply', 'u1', path],
      ['prepare', path],
    ]) {
      const { status, stdout } = await other.run(...argv, '--json');
      const told = JSON.parse(stdout);
      assert.deepEqual([status, told.error.code], [3, 'sysfs-failed']);
      assert.deepEqual(told.changes, [
        { change: 'added', domid: 1, devid: 0, type: 'pv', version: 2, ports: 8 },
        { change: 'attached', domid: 1, devid: 0, port: 1, busid: '4-1' },
      ]);
      await other.done('release', 'u1');
    }
    const { stdout, stderr } = await other.run('apply', 'u1', path);
    assert.match(stdout, /^Domain u1 has USB controller 0 now[^\n]*\n4-1 is attached[^\n]*\n$/);
    assert.match(stderr, ERROR_TEXT);
  });

  it("export leaves out what was put into the socket of a guest's device", async () => {
    await using other = await openStage(qemuWorld({ usbback: true }));
    await other.done('attach', 'u1', '4-1');
    await other.done('attach', 'u1', '3-2');
    const { spec } = other.sim.usb.device('4-1')!;
    await other.sim.unplug('4-1');
    await other.sim.plug({ ...spec, address: 9, serial: 'OTHER' });
    await other.sim.idle();
    for (const [form, left] of [
      [[], /^usbdev = \[ "type=hostdev,hostbus=3,hostaddr=2,controller=0,port=2" \]$/m],
      [['--json'], /"devices": \[\n {4}\{\n {6}"hostbus": 3,[^}]*\}\n {2}\]/],
      [['--json=libxl'], /"usbdevs": \[\s*\{\s*"ctrl": 0,\s*"port": 2,[^\]]*"hostbus": 3,[^\]]*\]/],
    ] as const) {
      const { status, stdout, stderr } = await other.run('export', 'u1', ...form);
      assert.equal(status, 0);
      assert.match(stdout, left);
      assert.equal(stderr, 'pvusb: The device in 4-1 is not the one that was attached: it is left out.\n');
    }
  });

  it('a file is named in a way that is safe to print', async () => {
    const path = file('x\u001b[31m\u009b1m.cfg', 'name="u2"\nusbctrl=[]\n');
    for (const argv of [
      ['apply', 'u2', path, '--dry-run'],
      ['apply', 'u2', path],
      ['prepare', path],
    ]) {
      const { status, stdout } = await stage.run(...argv);
      assert.equal(status, 0);
      assert.ok(!/[\u001b\u009b]/.test(stdout), JSON.stringify(stdout));
    }
    assert.match(await stage.done('prepare', path), /x\\x1b\[31m\\x9b1m\.cfg names\.\n$/);
  });

  it('after -- no word is an option', async () => {
    const { status, stdout, stderr } = await stage.run('attach', 'u2', '--', '--json=libxl');
    assert.deepEqual([status, stdout], [2, '']);
    assert.match(stderr, /^pvusb: "--json=libxl" is not the name of a USB device/);
    const plain = await stage.run('attach', 'u2', '--', '--json');
    assert.deepEqual([plain.status, plain.stdout], [2, '']);
    assert.match(await stage.done('list', '--json=libxl', '--', 'u2'), /"c_info"/);
  });

  it('--json=libxl is for what libxl has a form of', async () => {
    const { status, stderr } = await stage.run('devices', '--json=libxl');
    assert.deepEqual([status, /Unknown option '--json=libxl'/.test(stderr)], [2, true]);
  });
});
