/** The paths of operating systems. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openHost, platformOf } from '../../../src/pvusb/index.js';
import { type DriverName, openSysfs } from '../../../src/sysfs/index.js';
import { failure } from '../support/test-host.js';

describe('a platform', () => {
  test('has the paths that libxl has there', () => {
    const { sysfsRoot, elsewhere, userdataRoot, qmpRoot } = platformOf('linux');
    assert.deepEqual([sysfsRoot, elsewhere], ['/sys', {}]);
    assert.deepEqual([userdataRoot, qmpRoot], ['/var/lib/xen', '/var/run/xen']);
    assert.deepEqual(platformOf('netbsd').elsewhere, { 'bus/usb/drivers/usbback': '/kern/xen/usb' });
  });

  for (const name of ['freebsd', 'openbsd', 'darwin', 'win32', '']) {
    test(`without PVUSB is refused by name: "${name}"`, async () => {
      const error = await failure(() => openHost({ platform: name }));
      assert.equal(error.code, 'unsupported-platform');
      assert.ok(error.message.includes(`not supported on ${name}`), error.message);
    });
  }

  test('does not matter for a host whose folders are all given, such as a simulated one', async () => {
    const nowhere = '/nonexistent/pvusb';
    const roots = { sysfsRoot: nowhere, userdataRoot: nowhere, qmpRoot: nowhere };
    const environment = { XENSTORED_PATH: `${nowhere}/socket` };
    const error = await failure(() => openHost({ platform: 'darwin', environment, ...roots }));
    assert.equal(error.code, 'xenstore-unreachable');
    for (const left of ['sysfsRoot', 'userdataRoot', 'qmpRoot'] as const) {
      const { [left]: _, ...some } = roots;
      const refused = await failure(() => openHost({ platform: 'darwin', environment, ...some }));
      assert.equal(refused.code, 'unsupported-platform');
    }
  });

  test('may keep usbback outside sysfs: it is found and written to there', async (t) => {
    const root = mkdtempSync(join(tmpdir(), 'pvusb-platform-'));
    t.after(() => rmSync(root, { recursive: true }));
    const kern = join(root, 'kern');
    mkdirSync(join(root, 'sys/bus/usb/drivers/usbhid'), { recursive: true });
    mkdirSync(join(root, 'sys/bus/usb/devices'), { recursive: true });
    mkdirSync(kern);
    writeFileSync(join(kern, 'bind'), '');
    const usbback = 'usbback' as DriverName;
    const plain = openSysfs(join(root, 'sys'));
    const moved = openSysfs(join(root, 'sys'), { 'bus/usb/drivers/usbback': kern });
    assert.equal(await plain.hasDriver(usbback), false);
    assert.equal(await moved.hasDriver(usbback), true);
    assert.equal(await moved.hasDriver('usbhid' as DriverName), true);
    assert.equal(await moved.hasDriver('usbback2' as DriverName), false);
  });
});
