/** Preparing a domain: what ends the wait for it, and what is reported about failed attempts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type HostSysfs, PvusbError, prepareDomain } from '../../../src/pvusb/index.js';
import { qemuWorld } from '../../../src/sim/index.js';
import { failure, openSimulated } from '../support/test-host.js';

const world = qemuWorld({ usbback: true });
const nothing = { controllers: [], devices: [] };

describe('a wait for a domain', () => {
  test('that is interrupted is aborted, like every operation', async () => {
    await using lab = await openSimulated({ world });
    const interrupt = new AbortController();
    const options = { signal: interrupt.signal, onWait: () => setImmediate(() => interrupt.abort()) };
    const error = await failure(() => prepareDomain(lab.host, { domain: 'never', usb: nothing }, options));
    assert.deepEqual([error.code, error.exitStatus], ['aborted', 130]);
    assert.equal(error.message, 'Interrupted while waiting for the domain.');
    lab.assertNothingLeaks();
  });

  test('ends with a lost connection, in an error from the table', async () => {
    await using lab = await openSimulated({ world });
    const onWait = (): void => void setImmediate(() => lab.host.xenstore.close());
    const error = await failure(() => prepareDomain(lab.host, { domain: 'never', usb: nothing }, { onWait }));
    assert.equal(error.code, 'connection-lost');
  });

  test('reports the changes of every attempt, each once', async () => {
    await using lab = await openSimulated({ world });
    const told: string[] = [];
    let tries = 0;
    const onChange = ({ change, devid }: { change: string; devid: number }): void => {
      told.push(`${change} ${devid}`);
    };
    const refuse = async (): Promise<void> => {
      throw new PvusbError('no-usbback', 'usbback is not loaded yet.');
    };
    const onWait = (): void => {
      tries++;
    };
    // The first attempt fails after its second change.
    const sysfs: HostSysfs = new Proxy(lab.host.sysfs, {
      get: (target, key) => {
        if (key === 'bind' && tries === 0) return refuse;
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const usb = {
      controllers: [{ devid: 0 }, { devid: 1, type: 'pv' as const }],
      devices: [{ device: '4-1' }],
    };
    const { changes } = await prepareDomain({ ...lab.host, sysfs }, { domain: 1, usb }, { onChange, onWait });
    assert.deepEqual([tries, told], [1, ['added 0', 'added 1', 'attached 0']]);
    assert.deepEqual(
      changes.map(({ change, devid }) => `${change} ${devid}`),
      told,
    );
  });
});
