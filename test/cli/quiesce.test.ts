/** `pvusb quiesce`, `pvusb restore`, `pvusb quiesced`. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { differences, openStage, type Stage } from './stage.js';

describe('pvusb quiesce and restore', () => {
  let stage: Stage;
  before(async () => {
    stage = await openStage();
    await stage.done('attach', 'u1', '4-1');
  });
  after(() => stage[Symbol.asyncDispose]());

  it('print the token for a script, and what happens for people', async () => {
    const attached = await stage.look();
    assert.match(
      await stage.done('quiesce', 'u1', '--dry-run'),
      /^quiesce domain 1\n {2}1\. [\s\S]*\nNothing was changed \(--dry-run\)\.\n$/,
    );
    const { status, stdout, stderr } = await stage.run('quiesce', 'u1');
    const token = stdout.trimEnd();
    assert.match(stdout, /^u1-[0-9a-f]{6}\n$/);
    assert.deepEqual(
      [status, stderr],
      [0, `u1 is quiesced: 4-1 will be put back by "pvusb restore ${token}".\n`],
    );
    const listed = (await stage.done('quiesced')).split('\n');
    assert.equal(listed[0], 'TOKEN      GUEST  RUNS AS  STATE     SINCE                 DEVICES');
    assert.match(listed[1]!, new RegExp(`^${token}  u1     1        quiesced  \\S+Z  4-1$`));
    // A note that nothing but the restore ends.
    const note = `The guest "u1" is quiesced: it gets 4-1 back when it is restored (pvusb restore ${token}).`;
    assert.equal((await stage.run('doctor')).stdout, `Nothing is wrong.\nNotes:\n${note}\n`);
    assert.match(await stage.done('complete', 'restore', ''), new RegExp(`^${token}\twhat u1 had\n$`));
    assert.match(
      await stage.done('restore', token, '--dry-run'),
      /^attach 4-1 to port 1 of controller 0 of u1 \(domain 1\)\n/,
    );
    assert.equal(
      await stage.done('restore', token),
      '4-1 is attached to port 1 of controller 0 of domain 1.\nDomain 1 has everything back.\n',
    );
    assert.deepEqual(differences(attached, await stage.look()), []);
    assert.equal(await stage.done('quiesced'), 'No guest is quiesced.\n');
  });

  it('say what cannot be put back, and fail with that', async () => {
    const { token } = JSON.parse((await stage.run('quiesce', 'u1', '--json')).stdout) as { token: string };
    await stage.sim.unplug('4-1');
    const { status, stdout, stderr } = await stage.run('restore', token);
    assert.equal(status, 1);
    assert.match(
      stdout,
      new RegExp(`^Not everything is back; "pvusb restore ${token}" tries the rest again`),
    );
    assert.equal(
      stderr,
      'pvusb: 4-1 is not plugged in any more.\nPlug it in and restore the guest again. (no-such-device)\n',
    );
    const json = JSON.parse((await stage.run('restore', token, '--json')).stdout) as { unrestored: unknown };
    assert.deepEqual(json.unrestored, [
      {
        devid: 0,
        busid: '4-1',
        code: 'no-such-device',
        message: '4-1 is not plugged in any more.',
        remedy: 'Plug it in and restore the guest again.',
      },
    ]);
    assert.match(await stage.done('quiesced'), / incomplete /);
    assert.equal(await stage.done('restore', token, '--forget'), 'What u1 had is discarded.\n');
    const unknown = await stage.run('restore', token);
    assert.deepEqual(
      [unknown.status, unknown.stderr],
      [
        1,
        `pvusb: There is no quiesced guest "${token}".\nSee "pvusb quiesced" for the tokens. (no-such-token)\n`,
      ],
    );
  });
});
