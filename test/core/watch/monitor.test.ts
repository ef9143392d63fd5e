/** Following a host: what changes is reported, nothing else is, and it costs the same on a large host. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import {
  attachDevice,
  detachDevice,
  type FollowOptions,
  followHost,
  type Host,
  type Inventory,
  type InventoryChange,
  observe,
} from '../../../src/pvusb/index.js';

import { labWorld, qemuWorld, rebootDomain, type World } from '../../../src/sim/index.js';
import { XenstoreClient } from '../../../src/xenstore/index.js';
import { CountingTransport } from '../../support/counting.js';
import { replay } from '../../support/replay.js';
import { controllerOf, openSimulated } from '../support/test-host.js';

/** Follows a host, and knows only what is reported. */
class Follower implements AsyncDisposable {
  readonly changes: InventoryChange[] = [];
  inventory: Inventory | undefined;
  readonly #abort = new AbortController();
  readonly #end: Promise<void>;
  #wake: () => void = () => undefined;

  constructor(host: Host, options: FollowOptions = {}) {
    this.#end = followHost(host, {
      ...options,
      signal: this.#abort.signal,
      onStart: (inventory) => {
        this.inventory = inventory;
        this.#wake();
      },
      onChange: (change) => {
        this.inventory = replay(this.inventory!, change);
        this.changes.push(change);
        this.#wake();
      },
    });
  }

  /** Waits until `holds`, which is checked again after each report. */
  async until(holds: () => boolean | Promise<boolean>): Promise<void> {
    for (;;) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      if (await holds()) return;
      await Promise.race([woken, this.#end]);
    }
  }

  /** Waits until something is reported that was not reported before. */
  async untilTold(kind: InventoryChange['change'], happen: () => Promise<unknown>): Promise<void> {
    const before = this.changes.length;
    await happen();
    await this.until(() => this.changes.slice(before).some(({ change }) => change === kind));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort(new Error('stopped'));
    await this.#end;
  }
}

/** Never looks at the whole host again. */
const ONCE = { lookEveryMs: 1e9 };

describe('following a host', () => {
  test('gives the host as it is at every moment, whatever happens to it', async () => {
    const world = qemuWorld({ usbback: true });
    await using lab = await openSimulated({ world });
    await using follower = new Follower(lab.host, ONCE);
    await follower.until(() => follower.inventory !== undefined);
    const isTrue = async (): Promise<boolean> =>
      isDeepStrictEqual(follower.inventory, await observe(lab.host, { rings: true }));
    const { spec } = lab.sim.usb.device('4-1')!;
    const domain = world.domains.find(({ name }) => name === 'u1')!;
    const happenings: readonly (() => Promise<unknown>)[] = [
      () => attachDevice(lab.host, { domain: 'u1', device: '4-1' }),
      () => attachDevice(lab.host, { domain: 'p1', device: '3-6' }),
      () => lab.sim.unplug('4-1'),
      () => lab.sim.plug({ ...spec, serial: 'OTHER' }),
      () => lab.write('/local/domain/0/backend/vusb/1/0/port/9', 'junk'),
      () => detachDevice(lab.host, { domain: 'u1', devid: 0, port: 1 }),
      () => lab.sim.addDomain({ domid: 20 }),
      () => lab.sim.addController(controllerOf({ domid: 20, devid: 0 })),
      () =>
        rebootDomain(lab.sim, { domain, domid: 21, controllers: [controllerOf({ domid: 21, devid: 0 })] }),
      () => lab.sim.killDomain(20, { leaveRecords: true }),
      () => lab.rm('/libxl/20'),
      () => detachDevice(lab.host, { device: '3-6' }),
      // `xl rename`.
      async () => {
        const { domid, uuid } = follower.inventory!.domains.find(({ name }) => name === 'p1')!;
        await lab.write(`/local/domain/${domid}/name`, 'renamed');
        await lab.write(`/vm/${uuid}/name`, 'renamed');
      },
      () => lab.sim.plug({ ...spec, busid: '1-3', serial: 'NEW' }),
    ];
    for (const happen of happenings) {
      await happen();
      await follower.until(isTrue);
    }
  });

  test('reports what entered a port and what left it', async () => {
    await using lab = await openSimulated({});
    await using follower = new Follower(lab.host, ONCE);
    await follower.until(() => follower.inventory !== undefined);
    await follower.untilTold('attached', () => attachDevice(lab.host, { domain: 'u1', device: '4-1' }));
    await follower.untilTold('detached', () => detachDevice(lab.host, { device: '4-1' }));
    const ports = follower.changes.filter(({ change }) => change === 'attached' || change === 'detached');
    const at = { domid: 1, devid: 0, port: 1, busid: '4-1' };
    assert.deepEqual(ports, [
      { change: 'attached', ...at },
      { change: 'detached', ...at },
    ]);
  });

  test('costs as many requests per change with 1,000 domains as with 10', async () => {
    let [small, large] = [await costs(10), await costs(1000)];
    // On a busy machine the events of one change may be two looks, and each costs: the fewest requests count.
    for (let more = 3; more > 0 && !isDeepStrictEqual(small, large); more--)
      [small, large] = [fewest(small, await costs(10)), fewest(large, await costs(1000))];
    assert.deepEqual(large, small);
    for (const [what, requests] of Object.entries(large)) assert.ok(requests < 100, `${what}: ${requests}`);
  });
});

/** A host with many guests, each with a controller. */
function manyDomains(count: number): World {
  const domids = Array.from({ length: count }, (_, i) => i + 1);
  return {
    ...labWorld(),
    domains: domids.map((domid) => ({
      domid,
      name: `g${domid}`,
      type: 'pv',
      alive: true,
      driver: false,
    })),
    controllers: domids.map((domid) => controllerOf({ domid, devid: 0, frontendState: 1 })),
  };
}

function fewest(one: Record<string, number>, other: Record<string, number>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(one).map(([what, count]) => [what, Math.min(count, other[what]!)]),
  );
}

/** The requests that each kind of change takes. */
async function costs(count: number): Promise<Record<string, number>> {
  await using lab = await openSimulated({ world: manyDomains(count), usbback: 'never' });
  const transport = new CountingTransport(lab.sim.store.connect(0));
  const xenstore = new XenstoreClient(transport);
  await using follower = new Follower({ ...lab.host, xenstore }, ONCE);
  await follower.until(() => follower.inventory !== undefined);
  const port = '/local/domain/0/backend/vusb/7/0/port/1';
  const { spec } = lab.sim.usb.device('4-1')!;
  const happenings = {
    'a device enters a port': ['attached', () => lab.write(port, '3-6')],
    'a device leaves a port': ['detached', () => lab.write(port, '')],
    'a device is pulled out': ['device-unplugged', () => lab.sim.unplug('4-1')],
    'a device is plugged in': ['device-plugged', () => lab.sim.plug(spec)],
    'a domain appears': ['domain-appeared', () => lab.sim.addDomain({ domid: 5000, driver: false })],
    'a domain goes': ['domain-gone', () => lab.sim.killDomain(5000)],
  } as const satisfies Record<string, readonly [InventoryChange['change'], () => Promise<unknown>]>;
  const found: Record<string, number> = {};
  for (const [what, [kind, happen]] of Object.entries(happenings)) {
    const before = transport.requests;
    await follower.untilTold(kind, happen);
    found[what] = transport.requests - before;
  }
  return found;
}
