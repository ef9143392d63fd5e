/** Devices that another operation of the same process is at work on: what is done about them after it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { KeyedMutex } from '../../../src/async/index.js';
import { doctor } from '../../../src/pvusb/index.js';
import { reviveDevice } from '../../../src/pvusb/verbs/revive.js';
import { parseBusid } from '../../../src/sysfs/busid.js';
import { controllerOf, labWith, openSimulated } from '../support/test-host.js';

const BACKEND = '/local/domain/0/backend/vusb/1/0';
const BUSID = parseBusid('3-4')!;

describe('a device that another operation is at work on', () => {
  for (const [what, bindsIt] of [
    ['after it, if it still has no driver', false],
    ['not if that has given it one', true],
  ] as const)
    test(`is revived by the watch: ${what}`, async () => {
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

  test('is revived by the doctor after it', async () => {
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

  test('is repaired after it: told once, and nothing that came with that is mended', async () => {
    await using lab = await openSimulated({ world: labWith(controllerOf({ domid: 1, devid: 0 })) });
    for (const [leaves, left] of [
      [() => Promise.resolve(), []],
      [
        async () => {
          await lab.write(`${BACKEND}/port/1`, '');
          await lab.attach(1, '3-7');
          await lab.write(`${BACKEND}/port/1`, '');
        },
        ['binding-without-port'],
      ],
    ] as const) {
      await lab.write(`${BACKEND}/port/1`, '3-7');
      const deviceTurns = new KeyedMutex<string>();
      let other: Promise<void> | undefined;
      let told = 0;
      const { findings, remaining } = await doctor(
        { ...lab.host, deviceTurns },
        {
          settleMs: 0,
          fix: true,
          revivable: () => false,
          onRepair() {
            told++;
            other ??= deviceTurns.run(['3-7'], leaves);
          },
        },
      );
      await other;
      assert.deepEqual([findings.length, told], [1, 1]);
      assert.deepEqual(
        remaining.map(({ finding }) => finding),
        left,
      );
    }
  });
});
