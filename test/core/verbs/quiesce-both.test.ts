/** A guest is quiesced and restored by two at the same time: whoever wins, nothing is lost. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import {
  detachDevice,
  type Host,
  listDevices,
  listQuiesced,
  quiesceDomain,
  restoreDomain,
} from '../../../src/pvusb/index.js';
import { isToken, tokenFor } from '../../../src/quiesced/index.js';
import { openQuiescing } from '../support/quiescing.js';

type Files = NonNullable<Host['quiesced']>;

/** A guest with two devices, and hosts on which something else happens before or after a file is changed, once. */
async function lent(t: TestContext) {
  const { lab, quiesced } = await openQuiescing(t);
  await lab.add(1);
  await lab.attach(1, '4-1', { devid: 0, port: 5 });
  await lab.attach(1, '1-1', { devid: 0, port: 2 });
  const host: Host = { ...lab.host, quiesced };
  const meanwhile = (
    change: 'write' | 'remove',
    when: 'before' | 'after',
    act: () => Promise<unknown>,
  ): Host => {
    let isDone = false;
    const changed = async (body: () => Promise<void>): Promise<void> => {
      const isFirst = !isDone;
      isDone = true;
      if (isFirst && when === 'before') await act();
      await body();
      if (isFirst && when === 'after') await act();
    };
    const files: Files =
      change === 'write'
        ? { ...quiesced, write: (guest) => changed(() => quiesced.write(guest)) }
        : { ...quiesced, remove: (token) => changed(() => quiesced.remove(token)) };
    return { ...lab.host, quiesced: files };
  };
  return { host, meanwhile, quiesced };
}

const BOTH = ['1-1', '4-1'];

/** What is kept, and what the guest has. */
async function stateOf(host: Host) {
  const [guest, ...others] = await listQuiesced(host);
  assert.deepEqual(others, []);
  const kept = guest?.devices.map(({ busid }) => busid).sort();
  const has = (await listDevices(host)).map(({ busid }) => busid).sort();
  return { kept, isIncomplete: guest?.isIncomplete, has };
}

describe('quiescing and restoring a guest at the same time', () => {
  for (const when of ['before', 'after'] as const)
    it(`keeps what is quiesced again ${when} a restore has removed what was kept`, async (t) => {
      const { host, meanwhile } = await lent(t);
      const { token } = await quiesceDomain(host, { domain: 1 });
      const restored = await restoreDomain(
        meanwhile('remove', when, () => quiesceDomain(host, { domain: 1 })),
        token,
      );
      assert.deepEqual(restored.unrestored.map(({ busid, error }) => `${busid} ${error.code}`).sort(), [
        '1-1 conflict',
        '4-1 conflict',
      ]);
      assert.deepEqual(await stateOf(host), { kept: BOTH, isIncomplete: false, has: [] });
      assert.deepEqual((await restoreDomain(host, token)).unrestored, []);
      assert.deepEqual(await stateOf(host), { kept: undefined, isIncomplete: undefined, has: BOTH });
    });

  it('keeps what is quiesced when a restore removes, or cuts, what was kept', async (t) => {
    const { host, meanwhile, quiesced } = await lent(t);
    for (const act of [
      (token: string) => quiesced.remove(token),
      async () => {
        const [guest] = await quiesced.list();
        await quiesced.write({ ...guest!, isIncomplete: true, devices: guest!.devices.slice(1) });
      },
    ]) {
      const doing = meanwhile('write', 'after', async () => act((await quiesced.list())[0]!.token));
      await quiesceDomain(doing, { domain: 1 });
      assert.deepEqual(await stateOf(host), { kept: BOTH, isIncomplete: false, has: [] });
      await restoreDomain(host, 'u1');
      assert.deepEqual((await stateOf(host)).has, BOTH);
    }
  });

  it('keeps a device that somebody takes while the rest is restored', async (t) => {
    const { host, meanwhile } = await lent(t);
    const { token } = await quiesceDomain(host, { domain: 1 });
    await restoreDomain(
      meanwhile('remove', 'before', () => detachDevice(host, { device: '4-1' })),
      token,
    );
    assert.deepEqual(await stateOf(host), { kept: ['4-1'], isIncomplete: false, has: ['1-1'] });
  });
});

describe('the token of a guest', () => {
  it('is one, whatever the guest is called', () => {
    for (const name of [
      'u1',
      '',
      '_',
      '__x',
      '-_-',
      '_-a',
      '-x-',
      'é',
      '../../x',
      '\u001b[2J',
      'x'.repeat(300),
    ]) {
      const token = tokenFor({ domid: 1, name, uuid: 'ff8fa94c-edbb-4f8e-a7c8-7d6f8d8f0001' });
      assert.ok(isToken(token), `${name}: ${token}`);
    }
  });
});
