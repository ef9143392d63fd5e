/** An xl.cfg file in a program: read, and applied to a guest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyUsb, isPvusbError, parseXlConfig } from '../../src/pvusb/index.js';
import { labWorld } from '../../src/sim/index.js';
import { simulatedHost } from '../../src/testing/index.js';

test("an xl.cfg gives a guest's wanted USB, and notes", async () => {
  await using host = await simulatedHost(labWorld());
  const { usb, notes } = parseXlConfig(
    'name="u1"\nusbctrl=["type=pv,ports=4"]\nusbdev=["hostbus=4,hostaddr=2"]\n',
  );
  assert.deepEqual(notes, []);
  const { changes } = await applyUsb(host, { domain: 'u1', usb });
  assert.deepEqual(
    changes.map(({ change }) => change),
    ['added', 'attached'],
  );
});

test('an error in it is reported with its place', () => {
  assert.throws(
    () => parseXlConfig('usbctrl=["ports=x"]\n', 'u1.cfg'),
    (error) => isPvusbError(error, 'invalid-configuration') && /^u1\.cfg:1:\d+: /.test(error.message),
  );
});
