/** A guest gives up its devices for a while, and gets them back as they were. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import {
  assignmentsOf,
  describeFinding,
  detachDevice,
  doctor,
  forgetQuiesced,
  type Host,
  listDevices,
  listQuiesced,
  observe,
  openQuiescedFiles,
  quiesceDomain,
  reconcile,
  removeController,
  restoreDomain,
  severityOf,
} from '../../../src/pvusb/index.js';
import { labWorld } from '../../../src/sim/index.js';
import { compareWorlds } from '../support/invariants.js';
import { openQuiescing } from '../support/quiescing.js';
import { failure, type Lab } from '../support/test-host.js';
import { Watching } from '../support/watching.js';

/** A host whose state is in a folder of its own, and guest 1 has two devices on two controllers. */
async function lent(t: TestContext) {
  const { lab, root, quiesced } = await openQuiescing(t);
  await lab.add(1);
  await lab.add(1, 3);
  await lab.attach(1, '4-1', { devid: 0, port: 5 });
  await lab.attach(1, '3-6', { devid: 1, port: 2 });
  const host: Host = { ...lab.host, quiesced };
  return { lab, host, root, files: () => readdirSync(join(root, 'quiesced')) };
}

const PLACES = ['3-6 1/1/2', '4-1 1/0/5'];

async function places(host: Host): Promise<string[]> {
  return (await listDevices(host))
    .map(({ busid, domid, devid, port }) => `${busid} ${domid}/${devid}/${port}`)
    .sort();
}

/** What a save and restore leave of a guest: nothing; then it is there again, under another number. */
async function saveAndRestore(
  lab: Lab,
  domid: number,
  more: { uuid?: string; name?: string } = {},
): Promise<void> {
  const domain = labWorld().domains.find((one) => one.domid === 1)!;
  await lab.sim.killDomain(1);
  await lab.sim.addDomain({ ...domain, ...more, domid });
  await lab.sim.idle();
}

describe('quiescing a guest', () => {
  it('takes all its devices, keeps what it had for root only, and gives it back', async (t) => {
    const { lab, host, root, files } = await lent(t);
    const before = await lab.snapshot();
    const { token, busids, domid } = await quiesceDomain(host, { domain: 'u1' });
    assert.match(token, /^u1-[0-9a-f]{6}$/);
    assert.deepEqual([domid, [...busids].sort()], [1, ['3-6', '4-1']]);
    assert.deepEqual(await places(host), []);
    await lab.assertSound();
    assert.deepEqual(files(), [`${token}.json`]);
    assert.equal(statSync(join(root, 'quiesced', `${token}.json`)).mode & 0o777, 0o600);
    const { changes, unrestored } = await restoreDomain(host, token);
    assert.deepEqual([changes.map(({ change }) => change), unrestored], [['attached', 'attached'], []]);
    assert.deepEqual(await places(host), PLACES);
    assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    assert.deepEqual(files(), []);
    assert.equal((await failure(() => restoreDomain(host, token))).code, 'no-such-token');
  });

  it('plans only in a dry run, and restoring too', async (t) => {
    const { lab, host } = await lent(t);
    const before = await lab.dump();
    const { plans, token } = await quiesceDomain(host, { domain: 1, controllers: true }, { dryRun: true });
    assert.ok(plans[0]!.steps.length > 6);
    assert.equal(await lab.dump(), before);
    assert.deepEqual(await listQuiesced(host), []);
    await quiesceDomain(host, { domain: 1, controllers: true });
    const quiesced = await lab.dump();
    const restored = await restoreDomain(host, token, { dryRun: true });
    assert.deepEqual(
      restored.changes.map(({ change }) => change),
      ['added', 'added', 'attached', 'attached'],
    );
    assert.equal(await lab.dump(), quiesced);
    assert.equal((await listQuiesced(host))[0]?.isIncomplete, false);
  });

  it('twice is the same as once, and what it got meanwhile is taken too', async (t) => {
    const { lab, host } = await lent(t);
    const first = await quiesceDomain(host, { domain: 1 });
    assert.deepEqual({ ...(await quiesceDomain(host, { domain: 1 })), plans: [] }, { ...first, plans: [] });
    await lab.attach(1, '1-1', { devid: 0, port: 1 });
    const second = await quiesceDomain(host, { domain: 1 });
    assert.deepEqual([second.token, [...second.busids].sort()], [first.token, ['1-1', '3-6', '4-1']]);
    await restoreDomain(host, first.token);
    assert.deepEqual(await places(host), ['1-1 1/0/1', ...PLACES]);
  });

  it('gives everything back after a save and restore, controllers included', async (t) => {
    const { lab, host } = await lent(t);
    const { token } = await quiesceDomain(host, { domain: 1, controllers: true });
    const gone = async (): Promise<void> => {
      await lab.sim.killDomain(1);
      const { code, message } = await failure(() => restoreDomain(host, token));
      assert.deepEqual([code, message], ['no-such-domain', 'The guest "u1" is not running.']);
    };
    await gone();
    await lab.sim.addDomain({ ...labWorld().domains.find(({ domid }) => domid === 1)!, domid: 9 });
    const restored = await restoreDomain(host, 'u1');
    assert.deepEqual([restored.domid, restored.token, restored.changes.length], [9, token, 4]);
    assert.deepEqual(await places(host), ['3-6 9/1/2', '4-1 9/0/5']);
    await lab.assertSound();
  });

  it('knows a guest by its uuid, and by its name only if that is without doubt', async (t) => {
    const { lab, host } = await lent(t);
    const { token } = await quiesceDomain(host, { domain: 1 });
    const uuid = (n: number): string => `00000000-0000-0000-0000-00000000000${n}`;
    await saveAndRestore(lab, 8, { uuid: uuid(8) });
    await lab.sim.addDomain({ domid: 9, name: 'u1', uuid: uuid(9) });
    assert.equal((await failure(() => restoreDomain(host, token))).code, 'ambiguous-domain');
    await lab.sim.killDomain(9);
    assert.equal((await restoreDomain(host, token)).domid, 8);
  });

  it('keeps the token for a device that is not there, and goes on with it', async (t) => {
    const { lab, host } = await lent(t);
    const { token } = await quiesceDomain(host, { domain: 1 });
    const device = lab.sim.usb.devices.find(({ spec }) => spec.busid === '4-1')!.spec;
    await lab.sim.unplug('4-1');
    const { unrestored } = await restoreDomain(host, token);
    assert.deepEqual(
      unrestored.map(({ busid, error }) => `${busid} ${error.code}`),
      ['4-1 no-such-device'],
    );
    assert.deepEqual(await places(host), ['3-6 1/1/2']);
    const [left] = await listQuiesced(host);
    assert.deepEqual([left?.isIncomplete, left?.devices.map(({ busid }) => busid)], [true, ['4-1']]);
    // By its serial number it is found in another socket; its port may be taken by then.
    await lab.attach(1, '1-1', { devid: 0, port: 5 });
    await lab.sim.plug({ ...device, busid: '1-8' });
    assert.deepEqual((await restoreDomain(host, token)).unrestored, []);
    assert.deepEqual(await places(host), ['1-1 1/0/5', '1-8 1/0/1', '3-6 1/1/2']);
    assert.deepEqual(await listQuiesced(host), []);
  });

  it('does not take a device for another one, nor from another guest', async (t) => {
    const { lab, host } = await lent(t);
    const { token } = await quiesceDomain(host, { domain: 1 });
    await lab.attach(2, '3-6');
    const device = lab.sim.usb.devices.find(({ spec }) => spec.busid === '4-1')!.spec;
    await lab.sim.unplug('4-1');
    await lab.sim.plug({ ...device, serial: 'ANOTHER' });
    const { unrestored } = await restoreDomain(host, token);
    assert.deepEqual(unrestored.map(({ busid, error }) => `${busid} ${error.code}`).sort(), [
      '3-6 already-attached',
      '4-1 no-such-device',
    ]);
    await forgetQuiesced(host, token, { dryRun: true });
    await forgetQuiesced(host, token);
    assert.deepEqual(await listQuiesced(host), []);
  });

  it('goes on with a controller that was removed, and with one that cannot be made', async (t) => {
    const { lab, host } = await lent(t);
    const { token } = await quiesceDomain(host, { domain: 1 });
    await removeController(host, { domain: 1, devid: 1 });
    await restoreDomain(host, token);
    assert.deepEqual(await places(host), PLACES);
    await lab.assertSound();
  });

  it('refuses the host, dead guests, unknown tokens, and files that it has not written', async (t) => {
    const { lab, host, root } = await lent(t);
    const codeOf = async (act: () => Promise<unknown>): Promise<string> => (await failure(act)).code;
    assert.equal(await codeOf(() => quiesceDomain(host, { domain: 0 })), 'invalid-argument');
    assert.equal(await codeOf(() => quiesceDomain(host, { domain: 'u9' })), 'no-such-domain');
    for (const token of ['', 'x', '../../etc/passwd'])
      assert.equal(await codeOf(() => restoreDomain(host, token)), 'no-such-token');
    assert.equal(await codeOf(() => quiesceDomain(lab.host, { domain: 1 })), 'state-failed');
    const { token } = await quiesceDomain(host, { domain: 1 });
    const path = join(root, 'quiesced', `${token}.json`);
    const text = readFileSync(path, 'utf8');
    for (const wrong of [
      '',
      '{}',
      text.slice(0, -9),
      text.replace('"4-1"', '"../4-1"'),
      text.replace('"port": 5', '"port": -5'),
    ]) {
      writeFileSync(path, wrong);
      assert.equal(await codeOf(() => restoreDomain(host, token)), 'state-failed', wrong);
    }
    writeFileSync(path, text);
    await restoreDomain(host, token);
    assert.deepEqual(await places(host), PLACES);
  });

  it('takes nothing when what the guest had cannot be kept', async (t) => {
    const { lab, host } = await lent(t);
    const before = await lab.dump();
    const quiesced = openQuiescedFiles('/dev/null');
    assert.equal(
      (await failure(() => quiesceDomain({ ...host, quiesced }, { domain: 1 }))).code,
      'state-failed',
    );
    assert.equal(await lab.dump(), before);
  });
});

describe('a quiesced guest', () => {
  const rules = {
    root: '/',
    read: async () => [{ path: 'assignments.conf', text: 'auto u1 id=46f4:0001 serial=LAB0001' }],
    change: async () => undefined,
  };

  it('gets nothing by rules until it is restored, and the assignments say why', async (t) => {
    const { lab, host } = await lent(t);
    const ruled = { ...host, rules };
    const { token } = await quiesceDomain(host, { domain: 1 });
    const { changes, assignments } = await reconcile(ruled);
    assert.deepEqual([changes, assignments[0]?.status], [[], 'pending']);
    assert.equal(assignments[0]?.why, `u1 is quiesced; restore it with: pvusb restore ${token}`);
    await saveAndRestore(lab, 9);
    assert.deepEqual((await reconcile(ruled)).changes, []);
    await lab.sim.unplug('3-6');
    await restoreDomain(host, token);
    // It lacks a device, and is held back no longer.
    await detachDevice(host, { device: '4-1' });
    const [assignment] = assignmentsOf(await observe(ruled, { rules: true }));
    assert.equal(assignment?.want?.busid, '4-1');
  });

  it('gets nothing by the watch: neither by rules nor because it had it', async (t) => {
    const { lab, host } = await lent(t);
    await using watch = new Watching({ ...host, rules }, { lookEveryMs: 30, wishMs: 60_000 });
    await watch.until('watching');
    const { token } = await quiesceDomain(host, { domain: 1 });
    await saveAndRestore(lab, 9);
    await lab.attach(2, '1-1');
    // What is told later was seen later.
    await watch.times('attached', 1);
    await lab.attach(2, '2-1');
    await watch.times('attached', 2);
    const given = watch.events.filter(({ event }) => event === 'returned' || event === 'assigned');
    assert.deepEqual(given, []);
    await restoreDomain(host, token);
    assert.deepEqual((await places(host)).slice(2), ['3-6 9/1/2', '4-1 9/0/5']);
  });

  it('is a note of the doctor', async (t) => {
    const { host } = await lent(t);
    const { token } = await quiesceDomain(host, { domain: 1 });
    const { findings } = await doctor(host, { settleMs: 0 });
    assert.deepEqual(
      findings.map((finding) => [severityOf(finding), describeFinding(finding)]),
      [
        [
          'note',
          `The guest "u1" is quiesced: it gets 4-1, 3-6 back when it is restored (pvusb restore ${token}).`,
        ],
      ],
    );
  });
});
