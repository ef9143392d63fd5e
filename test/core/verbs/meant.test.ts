/** A configuration that is not meant for a domain takes nothing from it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  applyUsb,
  attachDevice,
  parseLibxlUsb,
  prepareDomain,
  type WantedUsb,
} from '../../../src/pvusb/index.js';
import { qemuWorld } from '../../../src/sim/index.js';
import { compareWorlds } from '../support/invariants.js';
import { failure, openSimulated } from '../support/test-host.js';

const world = qemuWorld({ usbback: true });

describe('a configuration that is not meant for the domain', () => {
  /** Each is refused, whatever else it says; `said` is in the message. */
  const FOREIGN: readonly (readonly [what: string, usb: WantedUsb, code: string, said: string])[] = [
    ['says nothing', {}, 'no-usb-settings', 'The configuration names neither'],
    ['says only its own name', { name: 'u1', said: 'u1.cfg' }, 'no-usb-settings', 'u1.cfg names neither'],
    [
      'is for another',
      { name: 'u2', devices: [] },
      'other-domain',
      'is for "u2", and not for u1 (domain 1).',
    ],
    ['is for another, with nothing', { name: 'u2' }, 'other-domain', '"u2"'],
    [
      'is for another, with what does not exist',
      { name: 'u2', devices: [{ device: '9-9' }] },
      'other-domain',
      '"u2"',
    ],
  ];

  for (const [what, usb, code, said] of FOREIGN) {
    test(`changes nothing when it ${what}: applied, prepared, in a dry run`, async () => {
      await using lab = await openSimulated({ world });
      await attachDevice(lab.host, { domain: 1, device: '4-1' });
      const before = await lab.snapshot();
      for (const domain of [1, 'u1']) {
        for (const act of [
          () => applyUsb(lab.host, { domain, usb }),
          () => applyUsb(lab.host, { domain, usb }, { dryRun: true }),
          () => prepareDomain(lab.host, { domain, usb }, { withinMs: 0, dryRun: true }),
        ]) {
          const error = await failure(act);
          assert.equal(error.code, code);
          assert.ok(error.message.includes(said), error.message);
          assert.deepEqual(error.where, { domid: 1 });
        }
      }
      if (code === 'other-domain') {
        assert.equal(
          (await failure(() => applyUsb(lab.host, { domain: 1, usb, takesAll: true }))).code,
          code,
        );
      }
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    });
  }

  test('takes everything only when asked for explicitly', async () => {
    for (const usb of [
      { controllers: [] },
      { devices: [] },
      { name: 'u1', controllers: [], devices: [] },
      'all',
    ] as const) {
      await using lab = await openSimulated({ world });
      await attachDevice(lab.host, { domain: 1, device: '4-1' });
      const asked = usb === 'all' ? { usb: {}, takesAll: true } : { usb };
      const { changes } = await applyUsb(lab.host, { domain: 1, ...asked });
      assert.deepEqual(
        changes.map(({ change }) => change),
        ['detached', 'removed'],
      );
    }
  });

  test("is one without USB in libxl's JSON, too", async () => {
    await using lab = await openSimulated({ world });
    await attachDevice(lab.host, { domain: 1, device: '4-1' });
    const usb = parseLibxlUsb('{ "c_info": { "name": "u1" }, "b_info": {} }');
    assert.equal((await failure(() => applyUsb(lab.host, { domain: 1, usb }))).code, 'no-usb-settings');
    // Who only adds can do without the file.
    const prepared = await failure(() => prepareDomain(lab.host, { domain: 1, usb }, { withinMs: 0 }));
    assert.match(prepared.remedy, /or name the domain and no file: then only the rules count\.$/);
    const other = parseLibxlUsb(
      '[{ "domid": 1, "config": { "c_info": { "name": "u2" }, "usbdevs": [] } }]',
      1,
    );
    assert.equal((await failure(() => applyUsb(lab.host, { domain: 1, usb: other }))).code, 'other-domain');
  });
});
