/** What tells that devices come and go. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openPlugs } from '../../src/sysfs/index.js';

describe('plugs', () => {
  test('tell that a device has come, and that it has gone', async (t) => {
    const root = mkdtempSync(join(tmpdir(), 'pvusb-plugs-'));
    t.after(() => rmSync(root, { recursive: true }));
    const devices = join(root, 'bus/usb/devices');
    mkdirSync(devices, { recursive: true });
    const plugs = await openPlugs(root);
    for (const change of [
      () => mkdirSync(join(devices, '4-1')),
      () => rmSync(join(devices, '4-1'), { recursive: true }),
    ]) {
      const told = plugs.next();
      change();
      assert.equal((await told).done, false);
    }
    const told = plugs.next();
    await plugs.close();
    assert.equal((await told).done, true);
    assert.equal((await plugs.next()).done, true);
  });

  test('where nothing can be watched tell nothing, and end when they are closed', async () => {
    const plugs = await openPlugs('/nowhere');
    const told = plugs.next();
    await plugs.close();
    assert.equal((await told).done, true);
  });

  test('of this host can be watched', async () => {
    const plugs = await openPlugs('/sys');
    await plugs.close();
    assert.equal((await plugs.next()).done, true);
  });
});
