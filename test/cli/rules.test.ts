/** The commands about rules, as an admin uses them. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { labWorld } from '../../src/sim/index.js';
import { differences, ERROR_TEXT, openMade, openStage, type Stage } from './stage.js';

describe('the commands about rules', () => {
  let stage: Stage;
  before(async () => {
    stage = await openMade(labWorld());
  });
  after(() => stage[Symbol.asyncDispose]());

  const file = () => join(stage.dir, 'rules/assignments.conf');
  const text = () => (existsSync(file()) ? readFileSync(file(), 'utf8') : '');
  const write = (...lines: readonly string[]) => {
    mkdirSync(join(stage.dir, 'rules'), { recursive: true });
    writeFileSync(file(), lines.map((line) => `${line}\n`).join(''));
  };
  const refused = async (code: string, ...argv: readonly string[]) => {
    const before = [await stage.look(), text()];
    const { status, stderr } = await stage.run(...argv);
    assert.equal(ERROR_TEXT.exec(stderr)?.[1], code, stderr);
    assert.notEqual(status, 0);
    assert.deepEqual([await stage.look(), text()], before);
    return stderr;
  };

  it('without rules, each says so', async () => {
    assert.match(
      await stage.done('assignments'),
      /^No rule gives a device to a guest\. Make one with "pvusb assign"/,
    );
    assert.match(await stage.done('explain', '4-1'), /\nThere are no rules\.\n$/);
    assert.equal(await stage.done('check'), '0 rules, nothing is wrong.\n');
    assert.equal(await stage.done('reconcile'), 'Guests now have what the rules give them.\n');
  });

  it('assign names a device by its serial number, or by its socket, and writes nothing in a dry run', async () => {
    const made = /^auto u1 id=46f4:0001 serial=LAB0001 name="[^"\n]+"\n/;
    const dry = await stage.done('assign', 'u1', '4-1', '--dry-run');
    assert.match(dry, made);
    assert.match(dry, /\nNothing was written \(--dry-run\); 4-1 is named by its serial number\.\n$/);
    assert.equal(text(), '');
    const done = await stage.done('assign', 'u1', '4-1');
    assert.match(done, made);
    assert.match(done, /\nAdded; 4-1 is named by its serial number\.\n$/);
    assert.match(await stage.done('assign', 'u1', '4-1'), /\nThat rule exists already; /);
    assert.match(text(), /^# Which guest[\s\S]*\n\nauto u1 id=46f4:0001 serial=LAB0001 name=[^\n]*\n$/);
    const bySocket = await stage.done(
      'assign',
      'u2',
      '3-6',
      '--by',
      'socket',
      '--ask',
      '--controller',
      '0',
      '--port',
      '2',
    );
    assert.match(
      bySocket,
      /^ask u2 socket=0000:00:05\.0\/6 controller=0 port=2 name="[^"]*"\nAdded; 3-6 is named by its socket\.\n$/,
    );
  });

  it('assignments, explain and check tell what the rules come to', async () => {
    const table = await stage.done('assignments');
    assert.match(table, /^RULE +GUEST +MODE +STATE +BUSID +DEVICE\n/);
    assert.match(table, /^assignments\.conf:\d+ +u1 +auto +pending +4-1 /m);
    assert.match(table, /^assignments\.conf:\d+: It is waiting for approval: pvusb attach u2 3-6$/m);
    const explained = await stage.done('explain', '4-1', 'u1');
    assert.match(
      explained,
      /^4-1: [^\n]*, socket 0000:00:05\.0\/ss1\nIt is for u1 \(auto\), by assignments\.conf:\d+:1\.\n\nRULE +SAYS +OUTCOME\n/,
    );
    assert.match(explained, / wins$/m);
    assert.match(await stage.done('explain', '3-6', 'u1'), /not this device: its ids \([0-9a-f:]{9}\)$/m);
    assert.match(await stage.done('check'), /^2 rules, nothing is wrong\.\n$/);
  });

  it('reconcile does what its dry run shows, once', async () => {
    const before = await stage.look();
    const dry = await stage.done('reconcile', '--dry-run');
    assert.match(
      dry,
      /^attach 4-1 to port 1 of controller 0 of u1 \(domain 1\)\n {2}1\. [\s\S]*\nNothing was changed \(--dry-run\)\.\n$/,
    );
    assert.deepEqual(differences(before, await stage.look()), []);
    assert.equal(
      await stage.done('reconcile'),
      '4-1 is attached to port 1 of controller 0 of domain 1.\n' +
        'Guests now have what the rules give them. "pvusb assignments" shows why 1 more rule is not fulfilled.\n',
    );
    assert.match(await stage.done('reconcile'), /^Guests now have/);
    const { assignments } = JSON.parse(await stage.done('reconcile', '--json')) as {
      assignments: { status: string }[];
    };
    assert.deepEqual(
      assignments.map(({ status }) => status),
      ['present', 'pending'],
    );
  });

  it('a denial holds at every door, and a broken file too; nothing is changed', async () => {
    write('deny u2', 'ask u2 id=46f4:0002');
    const denied = await refused('denied-by-rule', 'attach', 'u2', '3-2');
    assert.match(denied, /^pvusb: assignments\.conf:1:1 denies 3-2 to u2 \(domain 2\)\.\n/);
    const xl = await stage.run('usbdev-attach', 'u2', 'hostbus=3', 'hostaddr=2');
    assert.equal(xl.status, 1);
    assert.match(xl.stderr, /assignments\.conf:1:1 denies 3-2/);
    write('deny * id=46f4:0001');
    assert.match(await stage.done('devices'), /^1-1 .* no \(denied by a rule\) /m);
    write('denied *');
    assert.match(await stage.done('devices'), /^3-2 .* no \(rules are wrong\) /m);
    const broken = await refused('rules-invalid', 'attach', 'u2', '3-2');
    assert.match(
      broken,
      /^pvusb: assignments\.conf:1:1: A rule begins with auto, ask, required, deny, not with "denied"\.\n/,
    );
    await refused('rules-invalid', 'assign', 'u2', '3-2');
    await refused('rules-invalid', 'reconcile');
    mkdirSync(join(stage.dir, 'empty'));
    assert.equal(
      await stage.done('check', '--rules', join(stage.dir, 'empty')),
      '0 rules, nothing is wrong.\n',
    );
    for (const words of [['check'], ['explain', '3-2']]) {
      const misspelt = await refused('invalid-configuration', ...words, '--rules', join(stage.dir, 'none'));
      assert.match(misspelt, /^pvusb: There is no folder .*\/none\.\nCheck the name of the folder\. /);
      const file = await refused('invalid-configuration', ...words, '--rules', '/etc/passwd');
      assert.match(file, /^pvusb: \/etc\/passwd is not a folder\.\n/);
    }
    const check = await stage.run('check');
    assert.equal(check.status, 1);
    assert.match(
      check.stdout,
      /^assignments\.conf:1:1: A rule begins with [\s\S]*\n0 rules, 1 line is wrong\.\n$/,
    );
  });

  it('check finds what cannot apply and what contradicts', async () => {
    write(
      'auto u1 id=46f4:0001',
      'auto u2 id=46f4:0001',
      'deny * id=aaaa:*',
      'auto nobody id=aaaa:0001 socket=a/1',
      'auto u1 interface=08 controller=0 port=1',
    );
    const { doubts } = JSON.parse(await stage.done('check', '--json')) as {
      doubts: { line: number; doubt: string }[];
    };
    assert.deepEqual(
      doubts.map(({ line, doubt }) => `${line} ${doubt}`),
      ['1 contradictory', '2 contradictory', '5 one-port', '3 never-seen', '4 unknown-guest', '4 never-seen'],
    );
  });

  it('unassign takes a rule by its place, or by guest and device, and leaves the rest of the file', async () => {
    write('# mine', 'auto u1 id=46f4:0001   # the stick', '', 'ask u2 serial=x', '# end');
    const elsewhere = join(stage.dir, 'rules/assignments.d');
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, 'a.conf'), 'auto u2 id=46f4:0001 serial=LAB0001\n');
    assert.match(
      await refused('invalid-argument', 'unassign', 'u2', '4-1'),
      /a\.conf:1:1 is in a file that pvusb does not change/,
    );
    assert.equal(await stage.done('unassign', 'u1', '4-1'), 'auto u1 id=46f4:0001   # the stick\nRemoved.\n');
    assert.equal(text(), '# mine\n\nask u2 serial=x\n# end\n');
    await refused('no-such-rule', 'unassign', 'u1', '4-1');
    await refused('no-such-rule', 'unassign', 'assignments.conf:1');
    assert.match(await stage.done('unassign', '3', '--dry-run'), /\nNothing was written \(--dry-run\)\.\n$/);
    assert.equal(await stage.done('unassign', 'assignments.conf:3'), 'ask u2 serial=x\nRemoved.\n');
    assert.equal(text(), '# mine\n\n# end\n');
  });

  it('attach --always makes the rule of what it did', async () => {
    write();
    writeFileSync(join(stage.dir, 'rules/assignments.d/a.conf'), '');
    const said = await stage.done('attach', 'u1', '3-2', '--always');
    assert.match(said, /^3-2 is attached to port \d of controller 0 of domain u1\.\n/);
    assert.match(
      said,
      /\nauto u1 id=[0-9a-f:]{9} [^\n]*\nAdded; 3-2 is named by its (serial number|socket)\.\n$/,
    );
    assert.match(await stage.done('assignments'), / present +3-2 /);
    const json = JSON.parse(await stage.done('attach', 'u1', '3-6', '--always', '--json')) as {
      busid: string;
      rule: { added: boolean };
    };
    assert.deepEqual([json.busid, json.rule.added], ['3-6', true]);
  });

  it('prepare fails without what a rule requires, and says which', async () => {
    write('required u2 id=ffff:0001 name="The dongle"');
    assert.equal((await stage.run('prepare')).status, 2);
    const said = await refused('required-missing', 'prepare', '--domain', 'u2');
    assert.match(
      said,
      /^pvusb: u2 \(domain 2\) lacks a device that assignments\.conf:1:1 requires: No such device is plugged in\.\n/,
    );
    // What is only wanted is no reason to fail.
    await stage.done('detach', '4-1');
    write('auto u2 id=ffff:0001', 'required u2 id=46f4:0001 serial=LAB0001');
    assert.equal(
      await stage.done('prepare', '--domain', 'u2', '--dry-run').then((plan) => plan.split('\n')[0]),
      'attach 4-1 to port 1 of controller 0 of u2 (domain 2)',
    );
    assert.equal(
      await stage.done('prepare', '--domain', 'u2'),
      '4-1 is attached to port 1 of controller 0 of domain u2.\nDomain u2 has everything that the rules assign to it.\n',
    );
  });

  it('a recorded host is explained elsewhere, with its rules', async () => {
    write('auto u1 serial=LAB0001', 'deny * id=46f4:*');
    const host = join(stage.dir, 'host.json');
    writeFileSync(host, await stage.done('inventory'));
    const here = await stage.done('explain', '4-1', 'u2');
    await using other = await openStage();
    assert.equal(await other.done('explain', '4-1', 'u2', '--host', host), here);
    mkdirSync(join(other.dir, 'mine'));
    writeFileSync(join(other.dir, 'mine/assignments.conf'), 'deny *\n');
    assert.match(
      await other.done('explain', '4-1', '--host', host, '--rules', join(other.dir, 'mine')),
      /denies it\.\n/,
    );
  });
});
