/** What a host that is followed is asked, and how often: nothing that is known. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { attachDevice, type Host } from '../../../src/pvusb/index.js';
import { observeOwnBackend } from '../../../src/pvusb/observe/own-backend.js';
import { Monitor } from '../../../src/pvusb/watch/monitor.js';
import { Plugs } from '../../support/plugs.js';
import { openSimulated } from '../support/test-host.js';

describe('a host whose drivers change without a report', () => {
  test('has its devices looked at where they matter, and nobody is called for what is as it was', async () => {
    await using lab = await openSimulated({});
    let scans = 0;
    const sysfs: Host['sysfs'] = new Proxy(lab.host.sysfs, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (name === 'devices') scans++;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const host: Host = { ...lab.host, sysfs, plugs: async () => new Plugs(lab.sim) };
    const ended = new AbortController();
    const monitor = new Monitor(host, { signal: ended.signal, lookEveryMs: 1e9 });
    let seen = 0;
    let first: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      first = resolve;
    });
    const client = {
      dueMs: () => undefined,
      see: async () => {
        seen++;
        first();
      },
      trouble: assert.fail,
    };
    const running = monitor.run(client).catch(() => undefined);
    await begun;
    for (let left = 5; left > 0; left--) {
      await monitor.latest();
      await setImmediate();
    }
    assert.deepEqual([seen, scans], [1, 6], 'a scan for the first look, and one for each that was asked for');
    await monitor.latest({ storeOnly: true });
    assert.equal(scans, 6);
    // An attach looks once: whether somebody else has claimed the device is not seen in sysfs.
    const before = scans;
    const counted = { latest: 0, storeOnly: 0 };
    const followed: Host = {
      ...host,
      latest(options) {
        counted[options?.storeOnly ? 'storeOnly' : 'latest']++;
        return monitor.latest(options);
      },
    };
    await attachDevice(followed, { domain: 'u1', device: '4-1' }, { dryRun: true });
    assert.equal(scans - before, counted.latest);
    await attachDevice(followed, { domain: 'u1', device: '4-1' });
    assert.ok(counted.storeOnly >= 2, 'in the transaction, and after it');
    ended.abort(new Error('done'));
    await running;
  });
});

describe('our own backend', () => {
  test('is asked about the ports of those who may have changed', async () => {
    const asked: string[] = [];
    const states = new Map([
      ['/local/domain/0/backend/vusb/1/0/port-state/1', '4'],
      ['/local/domain/0/backend/vusb/2/0/port-state/1', '2'],
    ]);
    const xenstore = {
      async readMany(paths: readonly string[]) {
        asked.push(...paths);
        return paths.map((path) => states.get(path));
      },
    };
    const server = { usbback: false, announcement: '1 2' };
    const host = { xenstore, isServing: async () => true } as unknown as Host;
    const controllers = [1, 2].map((domid) => ({
      domid,
      devid: 0,
      type: 'pv',
      portsAt: `/local/domain/0/backend/vusb/${domid}/0`,
      ports: [{ port: 1, busid: `${domid}-1` }],
    })) as unknown as Parameters<typeof observeOwnBackend>[2];
    const before = await observeOwnBackend(host, server, controllers, {});
    const [one, two] = [1, 2].map((domid) => ({ domid, devid: 0, port: 1, state: domid === 1 ? 4 : 2 }));
    assert.deepEqual(before, { ports: [one, two] });
    asked.length = 0;
    states.set('/local/domain/0/backend/vusb/2/0/port-state/1', '4');
    const isDirty = ({ domid }: { readonly domid: number }): boolean => domid === 2;
    const after = await observeOwnBackend(host, server, controllers, {}, { before, isDirty });
    assert.deepEqual(after, { ports: [one, { ...two, state: 4 }] });
    assert.deepEqual(asked, ['/local/domain/0/backend/vusb/2/0/port-state/1']);
    // In the same order, whoever may have changed: otherwise it would look like a change.
    const isFirstDirty = ({ domid }: { readonly domid: number }): boolean => domid === 1;
    const same = await observeOwnBackend(
      host,
      server,
      controllers,
      {},
      { before: after, isDirty: isFirstDirty },
    );
    assert.deepEqual(same, after);
    // One that has not been there before shows nothing that is known.
    asked.length = 0;
    await observeOwnBackend(host, server, controllers, {}, { before: undefined, isDirty });
    assert.equal(asked.length, 2);
  });
});
