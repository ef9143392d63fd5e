/** Output that cannot be written: a full disk, a full log, a closed pipe. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { SHELL_COMMAND, shell, startShell } from './program.js';
import { openStage, type Stage } from './stage.js';

const FULL = 'no space left on device (ENOSPC)';
const DONE = `pvusb: The command did its work, but its output could not be written: ${FULL}.\n`;

describe('output that cannot be written', () => {
  let stage: Stage;
  before(async () => {
    stage = await openStage();
  });
  after(() => stage[Symbol.asyncDispose]());

  /** What the shell's commands print on standard error, with their exit status at its end. */
  const told = async (command: string): Promise<string> => {
    const { stdout, stderr } = await shell(`${command}; echo "$?" >&2`, stage.env);
    assert.equal(stdout, '', command);
    return stderr;
  };

  for (const command of [
    'list',
    'devices --json',
    'export u2',
    'attach u1 4-1 --dry-run',
    'help attach',
    '--help',
    '--version',
    'completion bash',
  ]) {
    it(`is no success and no crash: pvusb ${command}`, async () => {
      assert.equal(await told(`pvusb ${command} > /dev/full`), `${DONE}6\n`);
    });
  }

  it('is told of what was done all the same: attach, detach, and those of xl', async () => {
    const has = async () => /^4-1 +4\.2 .* u1 +no /m.test(await stage.done('devices'));
    assert.equal(await told('pvusb attach u1 4-1 > /dev/full'), `${DONE}6\n`);
    assert.ok(await has());
    assert.equal(await told('pvusb detach 4-1 --json > /dev/full'), `${DONE}6\n`);
    assert.ok(!(await has()));
    assert.equal(await told('pvusb usbdev-attach u1 hostbus=4 hostaddr=2 --json > /dev/full'), `${DONE}6\n`);
    assert.ok(await has());
    assert.equal(await told('pvusb usb-list u1 > /dev/full'), `${DONE}6\n`);
    // It prints nothing, so nothing is lost.
    assert.equal(await told('pvusb usbdev-detach u1 0 1 > /dev/full'), '0\n');
    assert.ok(!(await has()));
  });

  it('leaves a failure its exit status and its message', async () => {
    const lost = `pvusb: The command's output could not be written: ${FULL}.\n`;
    const error = 'pvusb: There is no domain "u9".\nSee "pvusb list" for the domains. (no-such-domain)\n';
    assert.equal(await told('pvusb attach u9 4-1 --json > /dev/full'), `${error}${lost}1\n`);
    assert.match(
      await told('pvusb frob --json > /dev/full'),
      /^pvusb: Unknown [^\n]*\n.*\n.*ENOSPC\)\.\n2\n$/,
    );
  });

  it('on standard error does not change what happens, and is no success', async () => {
    const { stdout } = await shell(
      'for words in "frob" "attach u9 4-1" "list u2" "usb-list u9" "doctor --fix"; do pvusb $words 2>/dev/full >/dev/null; ' +
        'echo -n "$? "; done; pvusb list >/dev/full 2>&1; echo $?',
      stage.env,
    );
    // Nothing is printed on standard error by a list; by a doctor that has looked twice, something is.
    assert.match(stdout, /^2 1 0 1 [06] 6\n$/);
    await stage.done('attach', 'u1', '4-1');
    await stage.sim.unplug('4-1');
    const exported = await shell('pvusb export u1 2>/dev/full; echo $?', stage.env);
    assert.match(exported.stdout, /^usbctrl = [\s\S]*\n6\n$/);
  });

  it('is noticed when a part of it was written', async () => {
    const file = join(stage.dir, 'cut');
    const stderr = await told(`ulimit -f 1; trap "" XFSZ; pvusb inventory > ${file}`);
    assert.match(stderr, /^pvusb: The command did its work, but .*: file too large \(EFBIG\)\.\n6\n$/);
    assert.equal(readFileSync(file).length % 1024, 0);
  });

  it('is no failure when a pipe was closed', async () => {
    assert.equal(await told('set -o pipefail; pvusb inventory | true'), '0\n');
  });

  it('is told at once by what runs on', async () => {
    const watch = startShell(`exec ${SHELL_COMMAND} watch > /dev/full`, stage.env);
    await watch.complains(`pvusb: Standard output can no longer be written: ${FULL}.\n`);
    watch.child.kill('SIGTERM');
    const { status, stderr } = await watch.ended();
    assert.deepEqual([status, stderr.endsWith(DONE)], [6, true], stderr);
  });
});
