/** Whether somebody may have rules followed is decided on the look that the plans are made on. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Host, listDevices, type PvusbError, reconcile } from '../../../src/pvusb/index.js';
import { openSimulated } from '../support/test-host.js';

it('a pass over the rules shows its look before it changes anything', async () => {
  await using lab = await openSimulated({});
  const rules: Host['rules'] = {
    root: '/',
    read: async () => [{ path: 'assignments.conf', text: 'auto u1 serial=LAB0001' }],
    change: async () => undefined,
  };
  const host: Host = { ...lab.host, rules };
  const refused = new Error('not for you') as PvusbError;
  const looks: number[] = [];
  const onLook = ({ domains }: { readonly domains: readonly unknown[] }): never => {
    looks.push(domains.length);
    throw refused;
  };
  await assert.rejects(reconcile(host, { domain: 'u1', onLook }), (error) => error === refused);
  assert.equal(looks.length, 1);
  assert.deepEqual(await listDevices(host), []);
});
