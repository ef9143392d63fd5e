/** A host with many devices, read by a process that may open only few files. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { publishSysfs, SimUsb } from '../../../src/sim/index.js';

const SYSFS = new URL('../../../src/sysfs/index.js', import.meta.url).href;

test('a hundred devices are read by a process that may open a hundred and twenty-eight files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pvusb-files-'));
  const usb = new SimUsb();
  const spec = { vendorId: '0627', productId: '0001', deviceClass: '00', speedMbps: 480 };
  await usb.plug({
    ...spec,
    busid: 'usb1',
    deviceClass: '09',
    interfaces: [{ number: 0, classes: '09/00/00' }],
  });
  for (let port = 1; port < 100; port++) {
    await usb.plug({ ...spec, busid: `1-${port}`, interfaces: [{ number: 0, classes: '03/01/01' }] });
  }
  const published = await publishSysfs(usb, folder);
  try {
    const script = `
      const { openSysfs } = await import(${JSON.stringify(SYSFS)});
      const devices = await openSysfs(${JSON.stringify(join(folder, 'sys'))}).devices();
      process.stdout.write(String(devices.length));`;
    const { stdout } = await promisify(execFile)('sh', [
      '-c',
      'ulimit -n 128 && exec "$0" --input-type=module -e "$1"',
      process.execPath,
      script,
    ]);
    assert.equal(stdout, '100');
  } finally {
    await published.close();
    await rm(folder, { recursive: true });
  }
});
