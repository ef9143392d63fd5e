/** Which disks guests have, as the backends say, and which devices are asked about. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { UsesOptions } from '../../../src/hostuse/index.js';
import { attachDevice, observe } from '../../../src/pvusb/index.js';
import { parseBusid } from '../../../src/sysfs/index.js';
import { openSimulated } from '../support/test-host.js';

/** What is asked. */
function asking() {
  const asked: { busids: readonly string[]; options: UsesOptions | undefined }[] = [];
  return {
    asked,
    uses: {
      usesOf: async (devices: readonly { readonly busid: string }[], options?: UsesOptions) => {
        asked.push({ busids: devices.map(({ busid }) => busid), options });
        return [];
      },
    },
  };
}

test('the disks of guests are found by number and by path', async () => {
  await using lab = await openSimulated();
  const { asked, uses } = asking();
  for (const [path, value] of [
    ['vbd/1/51712/physical-device', '8:10'],
    ['vbd/1/51712/physical-device-path', '/dev/sdb'],
    ['vbd/1/51712/params', '/dev/sdb'],
    ['vbd/2/51712/physical-device', 'fd:1a'],
    ['vbd/2/51728/params', '/srv/disk.img'],
    ['vbd/2/51744/physical-device', 'nonsense'],
    ['qdisk/2/51760/params', 'aio:/dev/disk/by-id/usb-x'],
    ['qdisk/2/51776/params', 'raw:/srv/disk.img'],
  ] as const)
    await lab.write(`/local/domain/0/backend/${path}`, value);
  await observe({ ...lab.host, uses }, { uses: 'all' });
  assert.deepEqual(await asked[0]!.options?.exports?.(), [
    { domid: 1, device: '8:16' },
    { domid: 1, path: '/dev/sdb' },
    { domid: 2, device: '253:26' },
    { domid: 2, path: '/dev/disk/by-id/usb-x' },
  ]);
});

test('hubs and what a guest has are not asked about; a list asks cheaply, an attach thoroughly', async () => {
  await using lab = await openSimulated();
  await attachDevice(lab.host, { domain: 'u1', device: '4-1' });
  const { asked, uses } = asking();
  const host = { ...lab.host, uses };
  assert.deepEqual((await observe(host, { uses: 'all' })).uses, []);
  assert.deepEqual(asked[0]!.busids, ['1-1', '2-1', '3-2', '3-3', '3-4', '3-6', '3-5.1', '3-7', '3-8']);
  assert.equal(asked[0]!.options?.thorough, false);
  await observe(host, { uses: () => [parseBusid('1-1')!, parseBusid('4-1')!] });
  assert.deepEqual([asked[1]!.busids, asked[1]!.options?.thorough], [['1-1'], true]);
  await observe(host);
  await observe(host, { uses: () => [parseBusid('4-1')!] });
  assert.equal(asked.length, 2, 'nothing is read when there is nothing to ask');
  assert.equal('uses' in (await observe(lab.host, { uses: 'all' })), false);
});
