/** What a saved configuration says while devices come and go, and transactions do not go as planned. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import {
  attachDevice,
  detachDevice,
  type Host,
  type Progress,
  prepareDomain,
} from '../../../src/pvusb/index.js';
import { labWorld, qemuWorld, rebootDomain } from '../../../src/sim/index.js';
import { hostdev, openSaved, replug, type Saved } from '../support/saved-configs.js';
import { controllerOf } from '../support/test-host.js';
import { Watching } from '../support/watching.js';

describe('an address that has changed', () => {
  test('is corrected at once by a watch', async () => {
    await using saved = await openSaved(qemuWorld({ usbback: false }));
    await attachDevice(saved.host, { domain: 3, device: '4-1' });
    await using watch = new Watching(saved.host);
    await watch.until('watching');
    const hostaddr = await replug(saved.lab, '4-1');
    const corrected = await watch.until('corrected');
    assert.deepEqual(corrected, {
      event: 'corrected',
      domid: 3,
      name: 'p1',
      busid: '4-1',
      hostbus: 4,
      hostaddr,
    });
    assert.deepEqual(saved.settings(3).usbdevs, [hostdev(0, 1, 4, hostaddr)]);
  });

  test('or that libxl has lost is filled in by a watch, so that the guest survives its next reboot', async () => {
    await using saved = await openSaved();
    await attachDevice(saved.host, { domain: 1, device: '4-1' });
    const lost = '"usbdevs": [{}, {"ctrl": 0, "port": 1}],';
    writeFileSync(saved.file(1), saved.text(1).replace(/"usbdevs": \[[\s\S]*?\n {4}\],/, lost));
    await using watch = new Watching(saved.host);
    await watch.until('corrected');
    assert.deepEqual(saved.settings(1).usbdevs, [hostdev(0, 1, 4, 2)]);
    await saved.assertSound();
  });

  test('is put into a file that appears after the devices, and for a guest without any', async () => {
    await using saved = await openSaved();
    const bytes = saved.text(1);
    rmSync(saved.file(1));
    await attachDevice(saved.host, { domain: 1, device: '4-1' });
    const lost = (text: string): string => text.replace('"on_crash"', '"usbdevs": [{}],\n    "on_crash"');
    writeFileSync(saved.file(2), lost(saved.text(2)));
    await using watch = new Watching(saved.host);
    await watch.until('watching');
    writeFileSync(saved.file(1), lost(bytes), { mode: 0o600 });
    await watch.until('corrected');
    assert.deepEqual(saved.settings(1).usbdevs, [hostdev(0, 1, 4, 2)]);
    while (saved.settings(2).usbdevs !== undefined) await new Promise((resolve) => setImmediate(resolve));
  });

  test('is corrected when something else in the same file changes', async () => {
    await using saved = await openSaved(qemuWorld({ usbback: false }));
    await attachDevice(saved.host, { domain: 3, device: '4-1' });
    await attachDevice(saved.host, { domain: 3, device: '3-2' });
    const hostaddr = await replug(saved.lab, '4-1');
    await attachDevice(saved.host, { domain: 3, device: '1-1' });
    const [stick, keyboard, other] = [hostdev(0, 1, 4, hostaddr), hostdev(0, 2, 3, 2), hostdev(0, 3, 1, 2)];
    assert.deepEqual(saved.settings(3).usbdevs, [stick, keyboard, other]);
    const again = await replug(saved.lab, '4-1');
    await detachDevice(saved.host, { device: '1-1' });
    assert.deepEqual(saved.settings(3).usbdevs, [hostdev(0, 1, 4, again), keyboard]);
  });

  test('is not given to another device that is in that socket now', async () => {
    await using saved = await openSaved(qemuWorld({ usbback: false }));
    await attachDevice(saved.host, { domain: 3, device: '4-1' });
    const { spec } = saved.lab.sim.usb.device('4-1')!;
    await saved.lab.sim.unplug('4-1');
    await saved.lab.sim.plug({ ...spec, address: 9, serial: 'OTHER' });
    await saved.lab.sim.idle();
    await attachDevice(saved.host, { domain: 3, device: '1-1' });
    assert.deepEqual(saved.settings(3).usbdevs, [hostdev(0, 1, 4, 2), hostdev(0, 2, 1, 2)]);
  });
});

describe('a transaction', () => {
  /** A host whose transactions are disturbed when everything has been sent but the end. */
  const disturbed = (saved: Saved, act: () => Promise<void> | void): Host => {
    const xenstore = new Proxy(saved.host.xenstore, {
      get(target, key) {
        const method = Reflect.get(target, key) as (...args: unknown[]) => Promise<unknown>;
        if (key !== 'transaction') return method.bind(target);
        return (body: (nodes: unknown) => Promise<unknown>, options: unknown) =>
          method.apply(target, [
            async (nodes: unknown) => {
              const result = await body(nodes);
              await act();
              return result;
            },
            options,
          ]);
      },
    });
    return { ...saved.host, xenstore };
  };

  test('that is retried leaves nothing of its first attempt in the file', async () => {
    await using saved = await openSaved();
    await attachDevice(saved.host, { domain: 1, device: '4-1' });
    await attachDevice(saved.host, { domain: 1, device: '3-2' });
    const port = '/local/domain/0/backend/vusb/1/0/port/1';
    let isFirst = true;
    const host = disturbed(saved, async () => {
      if (isFirst) await saved.lab.write(port, '');
      isFirst = false;
    });
    // 4-1 is known when the detach begins, and gone from its port when its transaction is retried.
    writeFileSync(saved.file(1), saved.text(1).replace('"hostaddr": 2', '"hostaddr": 9'));
    await detachDevice(host, { device: '3-2' });
    assert.equal(await saved.lab.read(port), '');
    assert.deepEqual(saved.settings(1).usbdevs, [hostdev(0, 1, 4, 9)]);
  });

  test('that is aborted on its way has the file say what it does', async () => {
    for (let depth = 0; depth < 8; depth++) {
      await using saved = await openSaved();
      await attachDevice(saved.host, { domain: 1, device: '4-1' });
      const abort = new AbortController();
      const later = (turns: number): void => {
        if (turns === 0) abort.abort(new Error('Ctrl-C'));
        else queueMicrotask(() => later(turns - 1));
      };
      let isFreeing = false;
      const host = disturbed(saved, () => {
        if (isFreeing) later(depth);
      });
      const onStep = ({ step, phase }: Progress): void => {
        isFreeing = phase === 'begin' && step.why.startsWith('free port');
      };
      const options = { signal: abort.signal, onStep };
      await detachDevice(host, { device: '4-1' }, options).catch(() => undefined);
      await detachDevice(saved.host, { device: '4-1' }).catch(() => undefined);
      assert.equal(saved.settings(1).usbdevs, undefined, `after ${depth} turns`);
      assert.equal(saved.lab.driver('4-1:1.0'), 'usb-storage');
    }
  });
});

describe('a domain that libxl is building', () => {
  test('is given nothing before its saved configuration exists: libxl would fail, and destroy it', async () => {
    await using saved = await openSaved();
    const bytes = saved.text(1);
    rmSync(saved.file(1));
    const usb = { controllers: [], devices: [{ device: '4-1' }] };
    const before = await saved.lab.snapshot();
    const waits: string[] = [];
    const onWait = ({ message }: Error): void => {
      waits.push(message);
      void saved.lab.snapshot().then((now) => {
        assert.deepEqual(now, before);
        writeFileSync(saved.file(1), bytes, { mode: 0o600 });
      });
    };
    const { changes } = await prepareDomain(saved.host, { domain: 1, usb }, { onWait });
    assert.deepEqual(waits, ['u1 (domain 1) is being created by its toolstack.']);
    assert.equal(changes.length, 1);
    assert.deepEqual(saved.settings(1).usbdevs, [hostdev(0, 1, 4, 2)]);
  });

  test('gets what it had before only then', async () => {
    await using saved = await openSaved();
    const [u1] = labWorld().domains;
    await attachDevice(saved.host, { domain: 1, device: '4-1' });
    await using watch = new Watching(saved.host);
    await watch.until('watching');
    const bytes = saved.text(1);
    rmSync(saved.file(1));
    await rebootDomain(saved.lab.sim, {
      domain: u1!,
      domid: 9,
      controllers: [controllerOf({ domid: 9, devid: 0, portCount: 8 })],
    });
    await watch.until('gone');
    // More than one look, and nothing is attached.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    assert.deepEqual(
      watch.events.filter(({ event }) => event === 'returned'),
      [],
    );
    writeFileSync(saved.file(1).replace('userdata-d.1.', 'userdata-d.9.'), bytes, { mode: 0o600 });
    assert.equal((await watch.until('returned')).attachment.domid, 9);
  });
});
