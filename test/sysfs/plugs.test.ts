/** Reports of devices that come and go. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openPlugs, type Plugs } from '../../src/sysfs/index.js';
import { HANG_MS } from '../support/hang.js';

/** One change makes several events: it counts as reported after this long without one. */
const QUIET_MS = 100;

/** For what is never reported. */
const LIMIT = { timeout: HANG_MS };

/** Waits for what is reported. */
class Listener {
  readonly #plugs: Plugs;
  #told: ReturnType<Plugs['next']>;

  constructor(plugs: Plugs) {
    this.#plugs = plugs;
    this.#told = plugs.next();
  }

  /** Makes a change, and waits until it is reported, with everything that it entails. */
  async hears(change: () => void): Promise<void> {
    change();
    do {
      assert.equal((await this.#told).done, false);
      this.#told = this.#plugs.next();
    } while (!(await this.#isQuiet()));
  }

  /** Makes a change that does not concern us. */
  async ignores(change: () => void): Promise<void> {
    change();
    assert.ok(await this.#isQuiet());
  }

  #isQuiet(): Promise<boolean> {
    return Promise.race([this.#told.then(() => false), sleep(QUIET_MS, true)]);
  }
}

function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'pvusb-plugs-'));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

async function listenTo(t: TestContext, ...where: Parameters<typeof openPlugs>): Promise<Listener> {
  const plugs = await openPlugs(...where);
  t.after(() => plugs.close());
  return new Listener(plugs);
}

describe('plugs', () => {
  test('report that a device has come, and that it has gone', async (t) => {
    const root = folder(t);
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

  test("continue when the devices' folder, and those above it, are recreated", LIMIT, async (t) => {
    const root = folder(t);
    const devices = join(root, 'bus/usb/devices');
    mkdirSync(devices, { recursive: true });
    const listener = await listenTo(t, root);
    for (const gone of [devices, join(root, 'bus'), root]) {
      await listener.hears(() => rmSync(gone, { recursive: true }));
      await listener.hears(() => mkdirSync(devices, { recursive: true }));
      await listener.hears(() => mkdirSync(join(devices, '4-1')));
    }
  });

  test('wait for a folder that does not exist yet, and for nothing next to it', LIMIT, async (t) => {
    const above = folder(t);
    const root = join(above, 'sys');
    const listener = await listenTo(t, root);
    await listener.ignores(() => mkdirSync(join(above, 'proc')));
    for (const made of ['', 'bus', 'bus/usb', 'bus/usb/devices', 'bus/usb/devices/4-1']) {
      await listener.hears(() => mkdirSync(join(root, made)));
    }
  });

  test('cover a bus that goes and comes back, and one that appears late', LIMIT, async (t) => {
    const nodes = folder(t);
    const bus = join(nodes, '001');
    mkdirSync(bus);
    const listener = await listenTo(t, '/sys', nodes);
    for (let times = 0; times < 3; times++) {
      await listener.hears(() => writeFileSync(join(bus, '002'), ''));
      await listener.hears(() => rmSync(bus, { recursive: true }));
      await listener.hears(() => mkdirSync(bus));
    }
    await listener.hears(() => mkdirSync(join(nodes, '002')));
    await listener.hears(() => writeFileSync(join(nodes, '002/001'), ''));
  });

  test('are empty where nothing can be watched, and end when closed', async () => {
    const plugs = await openPlugs('/nowhere');
    const told = plugs.next();
    await plugs.close();
    assert.equal((await told).done, true);
  });

  test('work on this host', async () => {
    const plugs = await openPlugs('/sys');
    await plugs.close();
    assert.equal((await plugs.next()).done, true);
  });
});
