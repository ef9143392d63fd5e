import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { differences, ERROR_TEXT, openStage, type Stage } from './stage.js';

describe('the commands that write', () => {
  let stage: Stage;
  before(async () => {
    stage = await openStage();
  });
  after(() => stage[Symbol.asyncDispose]());

  /** Each command, what it prints, and what it gives as data; run in this order on one host. */
  const STORY: readonly (readonly [command: string, says: string, data: Record<string, unknown>])[] = [
    [
      'attach u1 4-1',
      '4-1 is attached to port 1 of controller 0 of domain u1.\n',
      { domid: 1, devid: 0, port: 1, busid: '4-1', type: 'pv' },
    ],
    [
      'attach 1 3.8 --port 5 --controller 0',
      '3-7 (3.8) is attached to port 5 of controller 0 of domain 1.\n',
      { domid: 1, devid: 0, port: 5, busid: '3-7', type: 'pv' },
    ],
    [
      'attach u2 46F4:0001:LAB0002',
      '1-1 (46F4:0001:LAB0002) is attached to port 1 of controller 0 of domain u2.\n',
      { domid: 2, devid: 0, port: 1, busid: '1-1', type: 'pv' },
    ],
    [
      'controller add u1 --type auto --usb 1 --ports 2 --devid 3',
      'Domain u1 has USB controller 3 now: pv, USB 1, 2 ports.\n',
      { domid: 1, devid: 3, type: 'pv', version: 1, ports: 2 },
    ],
    [
      'detach 4-1',
      '4-1 is detached from port 1 of controller 0 of domain 1.\n',
      { domid: 1, devid: 0, port: 1, busid: '4-1' },
    ],
    [
      'detach u1 0 5',
      '3-7 is detached from port 5 of controller 0 of domain u1.\n',
      { domid: 1, devid: 0, port: 5, busid: '3-7' },
    ],
    [
      'detach -d u2 46f4:0001:LAB0002',
      '1-1 (46f4:0001:LAB0002) is detached from port 1 of controller 0 of domain u2.\n',
      { domid: 2, devid: 0, port: 1, busid: '1-1' },
    ],
    ['controller remove u1 3', 'Controller 3 of domain u1 is removed.\n', { domid: 1, devid: 3 }],
    ['controller destroy u1 0', 'Controller 0 of domain u1 is removed.\n', { domid: 1, devid: 0 }],
    ['controller destroy u2 0', 'Controller 0 of domain u2 is removed.\n', { domid: 2, devid: 0 }],
  ];

  const words = (command: string) => command.split(' ');

  it('say what they did in one sentence, and leave the host as it was in the end', async () => {
    const before = await stage.look();
    for (const [command, says] of STORY) assert.equal(await stage.done(...words(command)), says);
    // Directories that are empty in the end are removed, as with libxl; the one for all backends stays.
    assert.deepEqual(differences(before, await stage.look()), [
      '- /libxl/1/device = ""   (n0)',
      '- /libxl/2/device = ""   (n0)',
      '+ /local/domain/0/backend = ""   (n0)',
    ]);
  });

  it('show their steps with --dry-run, as text and as data, and change nothing', async () => {
    for (const [command, , result] of STORY) {
      const before = await stage.look();
      const text = await stage.done(...words(command), '--dry-run');
      assert.match(text, /^[a-z]+ .*\n( {2}\d+\. .*\n( {5}.*\n)*)+Nothing was changed \(--dry-run\)\.\n$/);
      const planned = JSON.parse(await stage.done(...words(command), '--dry-run', '--json'));
      assert.deepEqual(planned.result, result);
      assert.ok(text.startsWith(`${planned.plan.title}\n`));
      assert.equal(text.match(/^ {2}\d+\. /gm)?.length, planned.plan.steps.length);
      assert.deepEqual(differences(before, await stage.look()), [], command);
      const done = command.startsWith('attach') ? { ...result, state: 'in-use' } : result;
      assert.deepEqual(JSON.parse(await stage.done(...words(command), '--json')), done);
    }
  });

  it('a name that matches two devices lists them and attaches nothing', async () => {
    const before = await stage.look();
    const { status, stdout, stderr } = await stage.run('attach', 'u1', '46f4:0001');
    assert.deepEqual([status, stdout], [1, '']);
    assert.equal(
      stderr,
      'pvusb: 2 devices match "46f4:0001": 1-1 (serial LAB0002), 4-1 (serial LAB0001).\n' +
        'Name one of them by its busid. (ambiguous-device)\n',
    );
    assert.deepEqual(differences(before, await stage.look()), []);
  });

  /** What is refused: its code and a word of its message. */
  const REFUSALS: readonly (readonly [command: string, code: string, says: string])[] = [
    ['attach nosuch 4-1', 'no-such-domain', '"nosuch"'],
    ['attach 99 4-1', 'no-such-domain', '99'],
    ['attach u1 9-9', 'no-such-device', '"9-9"'],
    ['attach u1 stick', 'invalid-argument', '"stick"'],
    ['attach u1 3-5', 'is-hub', '3-5'],
    ['attach u1 usb3', 'is-root-hub', 'usb3'],
    ['attach u1 4-1 -p 1', 'invalid-argument', 'Name the controller'],
    ['attach u1 4-1 -c 5', 'no-such-controller', '5'],
    ['attach u1 4-1 -c x', 'invalid-argument', '"x" is not a controller number'],
    ['attach u1 4-1 -c 0 -p 0', 'invalid-argument', 'port number "0" is not between'],
    ['attach u1 4-1 -c 0 -p 9', 'no-such-port', 'ports 1 to 2'],
    ['attach u1 4-1 -c 0 -p 1', 'port-in-use', '3-8'],
    [
      'attach u2 3-8',
      'already-attached',
      'already attached to port 1 of controller 0 of u1 (domain 1).\nDetach it',
    ],
    ['attach u1 3-8', 'already-attached', 'u1 (domain 1).\nIt is already where you asked for it; '],
    ['attach u1 3-8 -c 0', 'already-attached', 'u1 (domain 1).\nIt is already where you asked for it; '],
    ['attach u1 3-8 -c 0 -p 1', 'already-attached', 'u1 (domain 1).\nIt is already where you asked for it; '],
    ['attach u1 3-8 -c 0 -p 2', 'already-attached', 'u1 (domain 1).\nDetach it there first.'],
    ['attach 0 4-1', 'invalid-argument', 'Domain 0'],
    ['detach 4-1', 'port-empty', '4-1'],
    ['detach 9-9', 'no-such-device', '"9-9"'],
    ['detach 3-8 -d u2', 'port-empty', 'u2 (domain 2)'],
    ['detach u1 0 2', 'port-empty', 'port 2'],
    ['controller add u1 --devid 0', 'controller-exists', '0'],
    ['controller add u1 --usb 9', 'invalid-argument', 'USB version "9" is not between'],
    ['controller add u1 --ports 0', 'invalid-argument', 'number of ports "0" is not between'],
    ['controller remove u1 4', 'no-such-controller', '4'],
    ['controller destroy u2 0', 'no-such-controller', '0'],
    ['controller info u2 0', 'no-such-controller', '0'],
    ['list nosuch', 'no-such-domain', '"nosuch"'],
  ];

  it('a refusal is a sentence, a remedy and a code, and as data on request; nothing changes', async () => {
    await stage.done('controller', 'add', 'u1', '-n', '2');
    await stage.done('attach', 'u1', '3-8');
    const before = await stage.look();
    for (const [command, code, says] of REFUSALS) {
      const { status, stdout, stderr } = await stage.run(...words(command));
      const expected = code === 'invalid-argument' ? 2 : 1;
      assert.deepEqual([command, status, stdout], [command, expected, '']);
      assert.equal(ERROR_TEXT.exec(stderr)?.[1], code, `${command}: ${stderr}`);
      assert.ok(stderr.includes(says), `${command}: ${stderr}`);
      const asData = await stage.run(...words(command), '--json');
      assert.deepEqual([asData.status, asData.stderr], [expected, stderr]);
      const { error } = JSON.parse(asData.stdout);
      assert.equal(error.code, code);
      assert.equal(stderr, `pvusb: ${error.message}\n${error.remedy} (${code})\n`);
      assert.deepEqual(error.leftOver, []);
    }
    assert.deepEqual(differences(before, await stage.look()), []);
    await stage.done('controller', 'remove', 'u1', '0');
  });

  it('release takes everything from a guest that runs, as its help says', async () => {
    const before = await stage.look();
    await stage.done('attach', 'u1', '4-1');
    assert.equal(await stage.done('release', 'u1'), 'Domain u1 is released: controller 0, 4-1.\n');
    assert.equal(await stage.done('release', '1'), 'Domain 1 has no USB controller.\n');
    assert.deepEqual(differences(before, await stage.look()), []);
    const help = (await stage.done('release', '--help')).replace(/\s+/g, ' ');
    assert.match(
      help,
      /without waiting for the guest: a running guest loses them as if they had been pulled out\./,
    );
  });

  it('doctor has nothing to say about a sound host, nor about a device for which there is no driver', async () => {
    assert.equal(await stage.done('doctor'), 'Nothing is wrong.\n');
    const data = JSON.parse(await stage.done('doctor', '--json'));
    const none = { findings: [], plans: [], remaining: [], failures: [], revived: [] };
    assert.deepEqual(data, { healthy: true, ...none, idle: ['3-8'] });
  });
});

describe('the doctor, after what xl leaves behind', () => {
  it('has notes, and nothing wrong: its exit status is 0', async () => {
    await using stage = await openStage();
    // As libxl leaves the record of a device that is back on its driver.
    await stage.sim.store
      .handle(0)
      .write('/libxl/usbback/4-1/4-1@1_0/driver_path', '/sys/bus/usb/drivers/usb-storage');
    const { status: plain, stdout: text } = await stage.run('doctor');
    assert.equal(plain, 0);
    assert.match(text, /^Nothing is wrong\.\nNotes:\nDrivers are saved for 4-1, which no longer needs them/);
    const { status, stdout } = await stage.run('doctor', '--json');
    const { healthy, findings } = JSON.parse(stdout);
    assert.deepEqual([status, healthy, findings[0].severity], [0, true, 'note']);
    assert.equal((await stage.run('doctor', '--fix')).status, 0);
    assert.equal(await stage.done('doctor'), 'Nothing is wrong.\n');
  });
});

describe('the doctor', () => {
  let stage: Stage;
  before(async () => {
    stage = await openStage();
  });
  after(() => stage[Symbol.asyncDispose]());

  it('shows what is wrong and exits with 1; with --fix it fixes it and exits with 0', async () => {
    await stage.done('attach', 'u1', '4-1');
    await stage.sim.unplug('4-1');
    const before = await stage.look();
    const [shown, data, dry] = await Promise.all([
      stage.run('doctor'),
      stage.run('doctor', '--json'),
      stage.run('doctor', '--fix', '--dry-run'),
    ]);
    assert.equal(
      shown.stdout,
      `Port 1 of controller 0 of u1 (domain 1) holds 4-1, which has been pulled out.
To fix it: free port 1 of controller 0 of u1 (domain 1)
  1. write /local/domain/0/backend/vusb/1/0/port/1 = "",
     note it in the saved configuration of domain 1
  2. forget the drivers saved for 4-1

Nothing was changed. Fix it with "pvusb doctor --fix".
`,
    );
    assert.equal(shown.stderr, 'Looking again in 2 s, in case another program is still at work ...\n');
    assert.deepEqual([shown.status, data.status, dry.status], [1, 1, 1]);
    assert.equal(dry.stdout, shown.stdout);
    assert.equal(data.stderr, '');
    const { healthy, findings, plans, remaining } = JSON.parse(data.stdout);
    assert.deepEqual([healthy, findings.length, plans.length], [false, 1, 1]);
    assert.equal(findings[0].finding, 'missing-device');
    assert.deepEqual(remaining, findings);
    assert.deepEqual(differences(before, await stage.look()), []);

    const fixed = await stage.run('doctor', '--fix');
    assert.equal(fixed.status, 0);
    assert.ok(fixed.stdout.endsWith('Fixed; nothing is wrong now.\n'), fixed.stdout);
    assert.equal(await stage.done('doctor'), 'Nothing is wrong.\n');
    assert.equal(await stage.done('doctor', '--fix'), 'Nothing is wrong.\n');
  });
});
