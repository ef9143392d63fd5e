/** What libxl keeps of a domain says what the domain has (I8), whatever happens. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openUserdata } from '../../src/libxl/index.js';
import {
  addController,
  attachDevice,
  detachDevice,
  doctor,
  type Host,
  releaseDomain,
  removeController,
} from '../../src/pvusb/index.js';
import { labWorld, qemuWorld, type World } from '../../src/sim/index.js';
import { failure, type Lab, openSimulated } from './lab.js';
import { Watching } from './watching.js';

/** The part of a configuration that is not ours, as libxl writes it. */
const BARE = `{
    "c_info": {
        "type": "pv",
        "domid": 4294967295,
        "max_memkb": 18446744073709551615
    },
    "on_crash": "preserve"
}
\0`;

/** A host whose domains all have a saved configuration, in a folder of its own. */
class Saved implements AsyncDisposable {
  readonly host: Host;
  readonly lab: Lab;
  readonly #folder = mkdtempSync(join(tmpdir(), 'pvusb-config-'));
  readonly #uuids: ReadonlyMap<number, string>;

  constructor(lab: Lab, world: World) {
    this.lab = lab;
    this.#uuids = new Map(world.domains.map(({ domid, uuid }) => [domid, uuid!]));
    for (const domid of this.#uuids.keys()) writeFileSync(this.file(domid), BARE, { mode: 0o600 });
    this.host = { ...lab.host, userdata: openUserdata({ root: this.#folder }) };
  }

  file(domid: number): string {
    return join(this.#folder, `userdata-d.${domid}.${this.#uuids.get(domid)}.libxl-json`);
  }

  text(domid: number): string {
    return readFileSync(this.file(domid), 'utf8');
  }

  /** The two settings of a domain. */
  settings(domid: number): { readonly usbctrls?: unknown; readonly usbdevs?: unknown } {
    const { usbctrls, usbdevs } = JSON.parse(this.text(domid).replace('\0', ''));
    return { ...(usbctrls ? { usbctrls } : {}), ...(usbdevs ? { usbdevs } : {}) };
  }

  /** Fails when anything but the configurations is left in the folder, or the doctor finds something. */
  async assertSound(): Promise<void> {
    assert.deepEqual(
      readdirSync(this.#folder).filter((name) => !name.startsWith('userdata-d.')),
      [],
    );
    const { findings } = await doctor(this.host, { settleMs: 0 });
    assert.deepEqual(findings, []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function open(world: World = labWorld()): Promise<Saved> {
  return new Saved(await openSimulated({ world }), world);
}

const hostdev = (ctrl: number, port: number, hostbus: number, hostaddr: number) => ({
  ctrl,
  port,
  'type.hostdev': { hostbus, hostaddr },
});

describe('the saved configuration', () => {
  for (const [type, world, domid] of [
    ['pv', labWorld(), 1],
    ['qusb', qemuWorld({ usbback: false }), 3],
    ['devicemodel', qemuWorld(), 4],
  ] as const) {
    test(`follows every operation: ${type}`, async () => {
      await using saved = await open(world);
      const { host } = saved;
      await attachDevice(host, { domain: domid, device: '4-1' });
      const ports = type === 'devicemodel' ? 6 : 8;
      const usbctrls = [{ type, devid: 0, version: 2, ports }];
      assert.deepEqual(saved.settings(domid), { usbctrls, usbdevs: [hostdev(0, 1, 4, 2)] });
      await attachDevice(host, { domain: domid, device: '1-1', devid: 0, port: 3 });
      assert.deepEqual(saved.settings(domid).usbdevs, [hostdev(0, 1, 4, 2), hostdev(0, 3, 1, 2)]);
      await detachDevice(host, { device: '4-1' });
      assert.deepEqual(saved.settings(domid).usbdevs, [hostdev(0, 3, 1, 2)]);
      await removeController(host, { domain: domid, devid: 0 });
      assert.equal(saved.text(domid), BARE);
      await addController(host, { domain: domid });
      assert.deepEqual(saved.settings(domid), { usbctrls });
      await releaseDomain(host, { domain: domid });
      assert.equal(saved.text(domid), BARE);
    });
  }

  test('is as it was after an attach that failed', async () => {
    await using saved = await open();
    saved.lab.sim.usb.failBind({ interface: '3-6:1.1', driver: 'usbback' }, 'EIO', 1);
    await failure(() => attachDevice(saved.host, { domain: 1, device: '3-6' }));
    assert.equal(saved.text(1), BARE);
    await saved.assertSound();
  });

  test('that cannot be used makes an attach fail, and changes nothing', async () => {
    await using saved = await open();
    writeFileSync(saved.file(1), '{ "usbdevs": [');
    const before = await saved.lab.snapshot();
    const error = await failure(() => attachDevice(saved.host, { domain: 1, device: '4-1' }));
    assert.equal(error.code, 'config-unusable');
    assert.deepEqual(await saved.lab.snapshot(), before);
    assert.equal(saved.text(1), '{ "usbdevs": [');
    const { findings } = await doctor(saved.host, { settleMs: 0 });
    assert.deepEqual(
      findings.map(({ finding }) => finding),
      ['config-unreadable'],
    );
  });

  test('that cannot be used keeps no device from its host', async () => {
    await using saved = await open();
    await attachDevice(saved.host, { domain: 1, device: '4-1' });
    writeFileSync(saved.file(1), 'no JSON');
    await detachDevice(saved.host, { device: '4-1' });
    await removeController(saved.host, { domain: 1, devid: 0 });
    assert.equal(saved.lab.driver('4-1:1.0'), 'usb-storage');
    assert.equal(saved.text(1), 'no JSON');
  });

  test('that somebody else holds is waited for, with a limit, and told', async () => {
    await using saved = await open();
    const { uuid } = labWorld().domains[0]!;
    const before = await saved.lab.snapshot();
    await saved.host.userdata!.withLock({ domid: 1, uuid: uuid! }, {}, async () => {
      saved.lab.beHasty();
      const error = await failure(() => attachDevice(saved.host, { domain: 1, device: '4-1' }));
      assert.equal(error.code, 'config-locked');
      saved.lab.bePatient();
    });
    assert.deepEqual(await saved.lab.snapshot(), before);
    await saved.assertSound();
  });

  test('of a domain that libxl did not build is none, and is not missed', async () => {
    await using saved = await open();
    rmSync(saved.file(1));
    await attachDevice(saved.host, { domain: 1, device: '4-1' });
    await detachDevice(saved.host, { device: '4-1' });
    await saved.assertSound();
  });
});

/** Pulls a device out and plugs it in again; gives its new address. */
async function replug({ sim }: Lab, busid: string): Promise<number> {
  const { address: before, ...again } = sim.usb.device(busid)!.spec;
  await sim.unplug(busid);
  await sim.plug(again);
  await sim.idle();
  const { address } = sim.usb.device(busid)!;
  assert.notEqual(address, before);
  return address;
}

describe('an address that has changed', () => {
  test('is corrected at once by a watch', async () => {
    await using saved = await open(qemuWorld({ usbback: false }));
    await attachDevice(saved.host, { domain: 3, device: '4-1' });
    await using watch = new Watching(saved.host);
    await watch.until('watching');
    const hostaddr = await replug(saved.lab, '4-1');
    const corrected = await watch.until('corrected');
    assert.deepEqual(corrected, { event: 'corrected', domid: 3, busid: '4-1', hostbus: 4, hostaddr });
    assert.deepEqual(saved.settings(3).usbdevs, [hostdev(0, 1, 4, hostaddr)]);
  });

  test('or that libxl has lost is put in by a watch, so that the guest survives its next reboot', async () => {
    await using saved = await open();
    await attachDevice(saved.host, { domain: 1, device: '4-1' });
    const lost = '"usbdevs": [{}, {"ctrl": 0, "port": 1}],';
    writeFileSync(saved.file(1), saved.text(1).replace(/"usbdevs": \[[\s\S]*?\n {4}\],/, lost));
    await using watch = new Watching(saved.host);
    await watch.until('corrected');
    assert.deepEqual(saved.settings(1).usbdevs, [hostdev(0, 1, 4, 2)]);
    await saved.assertSound();
  });

  test('is corrected when something else is told to the same file', async () => {
    await using saved = await open(qemuWorld({ usbback: false }));
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
    await using saved = await open(qemuWorld({ usbback: false }));
    await attachDevice(saved.host, { domain: 3, device: '4-1' });
    const { spec } = saved.lab.sim.usb.device('4-1')!;
    await saved.lab.sim.unplug('4-1');
    await saved.lab.sim.plug({ ...spec, address: 9, serial: 'OTHER' });
    await saved.lab.sim.idle();
    await attachDevice(saved.host, { domain: 3, device: '1-1' });
    assert.deepEqual(saved.settings(3).usbdevs, [hostdev(0, 1, 4, 2), hostdev(0, 2, 1, 2)]);
  });
});

describe('the doctor', () => {
  test('corrects an address that has changed, so that a reboot by xl finds the right device', async () => {
    await using saved = await open(qemuWorld({ usbback: false }));
    await attachDevice(saved.host, { domain: 3, device: '4-1' });
    // The world begins with a controller that no file tells of.
    await doctor(saved.host, { fix: true, settleMs: 0 });
    const address = await replug(saved.lab, '4-1');
    const { remaining } = await doctor(saved.host, { fix: true, settleMs: 0 });
    assert.deepEqual(remaining, []);
    assert.deepEqual(saved.settings(3).usbdevs, [hostdev(0, 1, 4, address)]);
    await saved.assertSound();
  });

  test('adds what is missing and removes what is left over, such as entries that libxl lost the device of', async () => {
    await using saved = await open();
    await attachDevice(saved.host, { domain: 1, device: '4-1' });
    const text = saved.text(1);
    // As libxl 4.17 saves devices of a domain's configuration file (recorded): at a reboot it loses the guest of it.
    writeFileSync(
      saved.file(1),
      text.replace(/"usbdevs": \[[\s\S]*?\n {4}\],/, '"usbdevs": [{}, {"ctrl": 1, "port": 2}],'),
    );
    assert.deepEqual(saved.settings(1).usbdevs, [{}, { ctrl: 1, port: 2 }]);
    const { findings, remaining } = await doctor(saved.host, { fix: true, settleMs: 0 });
    assert.deepEqual(
      findings.map(({ finding }) => finding),
      ['config-differs'],
    );
    assert.deepEqual(remaining, []);
    assert.deepEqual(saved.settings(1).usbdevs, [hostdev(0, 1, 4, 2)]);
  });
});
