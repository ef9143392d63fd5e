/** `pvusb import`, and Qubes' names on the command line. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openStage, runPvusb } from './stage.js';

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'pvusb-import-'));
});
after(() => rmSync(dir, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

describe('import', () => {
  it('prints rules, and says what is missing', async () => {
    const path = file('rules.conf', 'block with-interface one-of { 03:*:* }\nallow 046d:c52b name "x"\n');
    const { status, stdout, stderr } = await runPvusb(['import', 'usbguard', path, '--guest', 'u1']);
    assert.equal(status, 1);
    assert.match(stdout, /^# block with-interface one-of \{ 03:\*:\* \}\ndeny \* interface=03\/\*$/m);
    assert.match(stdout, /^# {3}similar, but not the same: ask u1 id=046d:c52b every$/m);
    assert.equal(stderr, `pvusb: ${path}:2:17: name cannot be expressed in pvusb rules.\n`);
  });

  it('ends with 0 if everything could be said', async () => {
    const path = file('usb-policy.conf', 'DENY: class=02\nALLOW: vid=056a pid=0315\n');
    const { status, stdout, stderr } = await runPvusb(['import', 'xapi', path, '-g', 'u1', '-m', 'auto']);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    assert.match(stdout, /^auto u1 id=056a:0315 every$/m);
  });

  it('gives both as JSON', async () => {
    const path = file('json.conf', 'allow 1234:abcd\n');
    const { status, stdout } = await runPvusb(['import', 'usbguard', path, '--json']);
    assert.equal(status, 1);
    const { lines, reports, problems } = JSON.parse(stdout);
    assert.deepEqual(lines, [{ line: 1, text: 'allow 1234:abcd', isComment: false, rules: [], like: [] }]);
    assert.deepEqual([reports.length, reports[0].isExpressed, problems], [1, false, []]);
  });

  it('makes no rules of a file that the other program does not read', async () => {
    const path = file('bad.conf', 'block 1234:abcd\nallow id\n');
    const { status, stdout, stderr } = await runPvusb(['import', 'usbguard', path]);
    assert.deepEqual({ status, stdout }, { status: 1, stdout: '' });
    assert.equal(
      stderr,
      `pvusb: ${path}:2:9: USBGuard wants a blank here, not the end of the line.\n` +
        'pvusb: No rules were made: a file that the other program rejects is not in force.\n',
    );
  });

  it('refuses what it does not know', async () => {
    const path = file('some.conf', '');
    for (const [argv, said] of [
      [['import', 'nosuch', path], 'import takes usbguard or xapi, not "nosuch".'],
      [['import', 'xapi', path, '--guest', '*'], '--guest takes the name or uuid of a guest, not "*".'],
      [['import', 'xapi', path, '--guest', 'u1', '--mode', 'deny'], '--mode is auto or ask, not "deny".'],
      [['import', 'xapi', path, '--mode', 'auto'], '--mode needs a guest: name it with --guest.'],
    ] as const) {
      const { status, stderr } = await runPvusb(argv);
      const remedy = 'See "pvusb import --help". (invalid-argument)';
      assert.deepEqual({ status, stderr }, { status: 2, stderr: `pvusb: ${said}\n${remedy}\n` });
    }
    const { status, stderr } = await runPvusb(['import', 'xapi', join(dir, 'nosuch')]);
    assert.equal(status, 1);
    assert.match(stderr, /There is no file /);
  });
});

describe('a device', () => {
  it('is named as Qubes OS names it', async () => {
    await using stage = await openStage();
    const said = await stage.done('attach', 'u1', '46f4:0001:LAB0001:u080650', '--dry-run');
    assert.match(said, /4-1/);
    await stage.done('attach', 'u1', '4-1:46f4:0001:LAB0001:u080650');
    const { status } = await stage.run('attach', 'u1', '46f4:0001:LAB0001:u030101');
    assert.equal(status, 1);
  });
});
