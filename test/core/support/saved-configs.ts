/** A simulated host whose domains have saved configurations, in real files. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openUserdata } from '../../../src/libxl/index.js';
import { doctor, type Host } from '../../../src/pvusb/index.js';
import { labWorld, type World } from '../../../src/sim/index.js';
import { type Lab, openSimulated } from './test-host.js';

/** The part of a configuration that is not ours, as libxl writes it. */
export const BARE = `{
    "c_info": {
        "type": "pv",
        "domid": 4294967295,
        "max_memkb": 18446744073709551615
    },
    "on_crash": "preserve"
}
\0`;

/** A host whose domains all have a saved configuration, in a folder of its own. */
export class Saved implements AsyncDisposable {
  readonly host: Host;
  readonly lab: Lab;
  readonly #folder = mkdtempSync(join(tmpdir(), 'pvusb-config-'));
  readonly #uuids: ReadonlyMap<number, string>;

  constructor(lab: Lab, world: World) {
    this.lab = lab;
    this.#uuids = new Map(world.domains.map(({ domid, uuid }) => [domid, uuid!]));
    for (const domid of this.#uuids.keys()) writeFileSync(this.file(domid), BARE, { mode: 0o600 });
    const domain0 = 'userdata-d.0.00000000-0000-0000-0000-000000000000.libxl-json';
    writeFileSync(join(this.#folder, domain0), BARE, { mode: 0o600 });
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

  /** Fails if anything but the configurations is left in the folder, or the doctor finds something. */
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

/** The recorded host unless another is given. */
export async function openSaved(world: World = labWorld()): Promise<Saved> {
  return new Saved(await openSimulated({ world }), world);
}

/** An entry of `usbdevs`. */
export const hostdev = (ctrl: number, port: number, hostbus: number, hostaddr: number) => ({
  ctrl,
  port,
  'type.hostdev': { hostbus, hostaddr },
});

/** Pulls a device out and plugs it in again; returns its new address. */
export async function replug({ sim }: Lab, busid: string): Promise<number> {
  const { address: before, ...again } = sim.usb.device(busid)!.spec;
  await sim.unplug(busid);
  await sim.plug(again);
  await sim.idle();
  const { address } = sim.usb.device(busid)!;
  assert.notEqual(address, before);
  return address;
}
