/** What the host needs: what the commands say of it, and that none of them lends it by mistake. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parseWorldText, shortWorld } from '../../src/sim/index.js';
import { differences, ERROR_TEXT, openMade, runPvusb, type Stage } from './stage.js';

const WORLD = shortWorld({
  devices: [
    {
      busid: '1-1',
      id: '46f4:0001',
      product: 'Stick',
      serial: 'S1',
      interfaces: ['08/06/50'],
      uses: [{ use: 'mounted', name: 'sdb1', of: '/srv/\x1b[2Jvery/long/way/down' }],
    },
    { busid: '1-2', id: '46f4:0001', product: 'Stick', serial: 'S2', interfaces: ['08/06/50'] },
    {
      busid: '1-3',
      id: '0b95:1790',
      product: 'Adapter',
      interfaces: ['02/06/00'],
      uses: [
        { use: 'member', name: 'enx1', of: 'br0' },
        { use: 'default-route', name: 'br0' },
      ],
    },
    {
      busid: '1-4',
      id: '0627:0001',
      product: 'Keyboard',
      interfaces: ['03/01/01'],
      uses: [{ use: 'keyboard', name: 'Keyboard' }],
    },
    {
      busid: '1-5',
      id: '0403:6001',
      product: 'Line',
      interfaces: ['ff/ff/ff'],
      uses: [{ use: 'held', name: 'ttyUSB0', of: 'agetty (9)' }],
    },
    {
      busid: '1-6',
      id: '0627:0001',
      product: 'Tablet',
      interfaces: ['03/00/00'],
      uses: [{ use: 'open', name: 'input/event5', of: 'Xorg (7)' }],
    },
  ],
  domains: [{ domid: 1, name: 'u1', uuid: '00000000-0000-4000-8000-000000000001' }],
});

const MOUNTED = 'The host needs 1-1: sdb1 on it is mounted at /srv/\\x1b[2Jvery/long/way/down.';

describe('what the host needs', () => {
  let stage: Stage;
  before(async () => {
    stage = await openMade(WORLD);
  });
  after(() => stage[Symbol.asyncDispose]());

  /** Refused, with this sentence, and nothing is changed. */
  async function refuses(sentence: string, ...argv: readonly string[]): Promise<void> {
    const before = await stage.look();
    const { status, stdout, stderr } = await stage.run(...argv);
    assert.deepEqual([status, stdout], [1, ''], stderr);
    assert.match(stderr, ERROR_TEXT);
    assert.ok(stderr.startsWith(`pvusb: ${sentence}\n`), stderr);
    assert.match(stderr, /"pvusb attach --force=REASON"\. \(host-needs-it\)\n$/);
    assert.deepEqual(differences(before, await stage.look()), []);
  }

  const file = (text: string): string => {
    const path = join(stage.dir, 'u1.cfg');
    writeFileSync(path, text);
    return path;
  };

  it('is shown by devices, as far as a list finds it out', async () => {
    const reasons = (await stage.done('devices'))
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => / {2}(yes|no \(.*\))/.exec(line)?.[1]);
    assert.deepEqual(reasons, [
      'no (sdb1 is mounted at /srv/\\\\x1b[2Jvery/long/way/down)'.replace('\\\\', '\\'),
      'yes',
      'no (br0 carries the default route)',
      "no (the host's only keyboard)",
      'yes',
      'yes',
    ]);
  });

  it('is cut in a narrow table, and other reasons are not', async () => {
    const { stdout } = await runPvusb(['devices'], { env: stage.env, columns: 80 });
    assert.match(stdout, /^1-1 .* no \(sdb1 is mount\S*… +Stick$/m);
    for (const line of stdout.trimEnd().split('\n')) assert.ok([...line].length <= 80, line);
  });

  it('is in the JSON of devices and of the inventory, which simulates the same', async () => {
    const [stick, spare] = JSON.parse(await stage.done('devices', '--json'));
    const use = {
      busid: '1-1',
      use: 'mounted',
      name: 'sdb1',
      of: '/srv/\\x1b[2Jvery/long/way/down',
      sentence: 'sdb1 on it is mounted at /srv/\\x1b[2Jvery/long/way/down',
      grade: 'refuse',
    };
    assert.deepEqual([stick.assignable, stick.uses], [false, [use]]);
    assert.deepEqual([spare.assignable, spare.uses], [true, []]);
    const inventory = await stage.done('inventory');
    assert.deepEqual(JSON.parse(inventory).uses[0], use);
    await using again = await openMade(parseWorldText(inventory));
    assert.equal(await again.done('inventory'), inventory);
    assert.equal(await again.done('devices'), await stage.done('devices'));
  });

  it('is refused by attach, also in a dry run', async () => {
    await refuses(MOUNTED, 'attach', 'u1', '1-1');
    await refuses(MOUNTED, 'attach', 'u1', '46f4:0001:S1', '--dry-run');
    await refuses(
      'The host needs 1-3: br0 over it carries the default route; enx1 on it is part of br0.',
      'attach',
      'u1',
      '1-3',
    );
    await refuses("The host needs 1-4: it is the host's only keyboard.", 'attach', 'u1', '1-4');
    // A list does not look through all processes; an attach does.
    await refuses('The host needs 1-5: ttyUSB0 on it is open in agetty (9).', 'attach', 'u1', '1-5');
    const { stdout } = await stage.run('attach', 'u1', '1-1', '--json');
    assert.equal(JSON.parse(stdout).error.code, 'host-needs-it');
  });

  it("is refused by xl's command, by apply and by prepare", async () => {
    await refuses(MOUNTED, 'usbdev-attach', 'u1', 'hostbus=1', 'hostaddr=2');
    const both = file('name = "u1"\nusbdev = ["hostbus=1,hostaddr=3", "hostbus=1,hostaddr=2"]\n');
    const said = `${both}:2:35: ${MOUNTED}`;
    await refuses(said, 'apply', 'u1', both);
    await refuses(said, 'apply', 'u1', both, '--dry-run');
    await refuses(said, 'prepare', both);
  });

  it('is refused by reconcile, whatever the rules give', async () => {
    await stage.done('assign', 'u1', '1-1');
    await stage.done('assign', 'u1', '1-5');
    const before = await stage.look();
    const states = (await stage.done('assignments')).split('\n');
    assert.match(states[1]!, / denied +1-1 /);
    assert.ok(states.includes(`assignments.conf:4: ${MOUNTED}`), states.join('\n'));
    const { status, stderr } = await stage.run('reconcile');
    assert.equal(status, 1);
    assert.match(
      stderr,
      /: The host needs 1-5: ttyUSB0 on it is open in agetty \(9\)\.\n.*\(host-needs-it\)/,
    );
    assert.deepEqual(differences(before, await stage.look()), []);
    await stage.done('unassign', 'u1', '1-1');
    await stage.done('unassign', 'u1', '1-5');
  });

  it('is lent for a reason, which is recorded, shown, and forgotten with the drivers', async () => {
    await stage.done('controller', 'add', 'u1');
    const before = await stage.look();
    assert.equal(
      await stage.done('attach', 'u1', '1-1', '--force=the backup moves, \u00fc'),
      '1-1 is attached to port 1 of controller 0 of domain u1.\n' +
        'The host was using it: sdb1 on it is mounted at /srv/\\x1b[2Jvery/long/way/down.\n',
    );
    assert.match(await stage.look(), /^\/libxl\/usbback\/1-1\/forced = "the backup moves/m);
    assert.match(await stage.done('list', 'u1'), /^ {4}port 1 .* Stick, forced: the backup moves, \u00fc$/m);
    const [domain] = JSON.parse(await stage.done('list', 'u1', '--json'));
    assert.equal(domain.controllers[0].ports[0].forced, 'the backup moves, \u00fc');
    assert.match(
      await stage.done('controller', 'info', 'u1', '0'),
      /^forced {12}1-1: the backup moves, \u00fc$/m,
    );
    const { savedDrivers } = JSON.parse(await stage.done('inventory'));
    assert.equal(savedDrivers[0].forced, 'the backup moves, \u00fc');
    await stage.done('detach', '1-1');
    assert.deepEqual(differences(before, await stage.look()), []);
  });

  it('is a warning if it is only open somewhere', async () => {
    assert.equal(
      await stage.done('attach', 'u1', '1-6'),
      '1-6 is attached to port 1 of controller 0 of domain u1.\n' +
        'The host was using it: input/event5 on it is open in Xorg (7).\n',
    );
    await stage.done('detach', '1-6');
  });

  it('is lent for a reason only', async () => {
    for (const reason of ['', '  ', 'two\nlines', 'a\x1b[2J', 'x'.repeat(201)]) {
      const { status, stderr } = await stage.run('attach', 'u1', '1-4', `--force=${reason}`);
      assert.equal(status, 2, stderr);
      assert.equal(ERROR_TEXT.exec(stderr)?.[1], 'invalid-argument', stderr);
    }
    assert.equal((await stage.run('attach', 'u1', '1-4', '--force')).status, 2);
    for (const command of ['apply', 'prepare', 'usbdev-attach', 'watch'])
      assert.equal((await stage.run(command, 'u1', 'x', '--force=y')).status, 2, command);
  });
});
