/** Asking for drivers of a device that another operation of the same process is at work on. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { KeyedMutex } from '../../../src/async/index.js';
import { doctor } from '../../../src/pvusb/index.js';
import { reviveDevice } from '../../../src/pvusb/verbs/revive.js';
import { parseBusid } from '../../../src/sysfs/busid.js';
import { openSimulated } from '../support/test-host.js';

const BUSID = parseBusid('3-4')!;

describe('reviving a device that has no driver', () => {
  for (const [what, bindsIt] of [
    ['is done after it, if there still is none', false],
    ['is not needed if that has given it one', true],
  ] as const)
    test(`while another operation is at work on it ${what}`, async () => {
      await using lab = await openSimulated();
      await lab.sim.usb.unbind('ftdi_sio', '3-4:1.0');
      const deviceTurns = new KeyedMutex<string>();
      const other = deviceTurns.run([BUSID], async () => {
        for (let turn = 0; turn < 20; turn++) await setImmediate();
        if (bindsIt) await lab.sim.usb.bind('ftdi_sio', '3-4:1.0');
      });
      let steps = 0;
      const plan = await reviveDevice({ ...lab.host, deviceTurns }, BUSID, { onStep: () => steps++ });
      await other;
      assert.deepEqual([plan !== undefined, steps > 0], [!bindsIt, !bindsIt]);
      assert.equal(lab.driver('3-4:1.0'), 'ftdi_sio');
    });

  test('is done by the doctor, too, after another operation', async () => {
    await using lab = await openSimulated();
    await lab.sim.usb.unbind('ftdi_sio', '3-4:1.0');
    const deviceTurns = new KeyedMutex<string>();
    const end = new AbortController();
    const other = deviceTurns.run([BUSID], async () => {
      while (!end.signal.aborted) await setImmediate();
    });
    const fixing = doctor({ ...lab.host, deviceTurns }, { settleMs: 0, fix: true });
    for (let turn = 0; turn < 200; turn++) await setImmediate();
    end.abort();
    await other;
    assert.deepEqual((await fixing).revived, [BUSID]);
    assert.equal(lab.driver('3-4:1.0'), 'ftdi_sio');
  });
});
