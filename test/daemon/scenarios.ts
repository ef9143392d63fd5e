/** What a daemon makes of the world, on any store: after everything, the world is as the assignments say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attachDevice, detachDevice, isPvusbError, listDevices } from '../../src/pvusb/index.js';
import { type DeviceSpec, qemuWorld, shortWorld, type World } from '../../src/sim/index.js';
import type { Lab, OpenLab } from '../core/support/test-host.js';
import { ROOT, Running } from './running.js';

const world = qemuWorld({ usbback: true });
const domainOf = (name: string) => world.domains.find((domain) => domain.name === name)!;

/** A stick in a socket. */
const STICK: DeviceSpec = {
  busid: '1-8',
  vendorId: '1111',
  productId: '0001',
  deviceClass: '00',
  speedMbps: 480,
  serial: 'S1',
  interfaces: [{ number: 0, classes: '08/06/50' }],
};

/** Who has what, as `busid domid`. */
async function held(lab: Lab): Promise<string[]> {
  return (await listDevices(lab.host)).map(({ busid, domid }) => `${busid} ${domid}`).sort();
}

/** Waits until somebody has what they should, and nobody anything else. */
async function settled(running: Running, lab: Lab, expected: readonly string[]): Promise<void> {
  const wanted = [...expected].sort().join();
  await running.until(async () => (await held(lab)).join() === wanted);
  await lab.sim.idle();
  assert.equal((await held(lab)).join(), wanted);
}

/** A guest that is served by each type of controller. */
const GUESTS = ['u1', 'p1', 'h1'];

/** Domains 1 to 4, each with a controller of 4 ports, and 12 devices. */
const crowd: World = shortWorld({
  usbback: true,
  devices: Array.from({ length: 12 }, (_, i) => ({
    busid: `1-${i + 1}`,
    id: '0627:0001',
    serial: `S${i + 1}`,
    interfaces: ['03/01/01'],
  })),
  domains: [1, 2, 3, 4].map((domid) => ({ domid })),
  controllers: [1, 2, 3, 4].map((domid) => ({ domid, devid: 0, ports: 4 })),
});

/** How many attaches at once; `CLAIMS=200` takes a while. */
const CLAIMS = Number(process.env.CLAIMS ?? 48);

/** Runs every scenario on hosts that `open` makes. */
export function scenarios(
  open: OpenLab,
  { kills = [22] }: { readonly kills?: readonly number[] } = {},
): void {
  for (const guest of GUESTS) {
    const { domid } = domainOf(guest);
    test(`plugged in, pulled out, in another socket, and the guest reboots: ${guest}`, async () => {
      await using lab = await open({ world });
      await using running = new Running(lab, `auto ${guest} serial=S1`);
      await running.ready();
      await lab.sim.plug(STICK);
      await settled(running, lab, [`1-8 ${domid}`]);
      await lab.sim.unplug('1-8');
      await settled(running, lab, []);
      await lab.sim.plug({ ...STICK, busid: '1-7' });
      await settled(running, lab, [`1-7 ${domid}`]);
      await lab.sim.killDomain(domid);
      await lab.sim.addDomain({ ...domainOf(guest), domid: 9 });
      await settled(running, lab, ['1-7 9']);
    });
  }

  test('a hundred plugs and unplugs in a row', async () => {
    await using lab = await open({ world: crowd });
    await using running = new Running(
      lab,
      'auto guest1 serial=S1\nauto guest2 serial=S2\nauto guest3 serial=S3',
    );
    await running.ready();
    const devices = lab.sim.usb.devices.flatMap(({ spec }) => (spec.busid.startsWith('1-') ? spec : []));
    for (let i = 0; i < 50; i++) {
      const one = devices[i % 3]!;
      if (lab.sim.usb.devices.some(({ busid }) => busid === one.busid)) await lab.sim.unplug(one.busid);
      await lab.sim.plug(one);
    }
    await settled(running, lab, ['1-1 1', '1-2 2', '1-3 3']);
    await lab.assertSound();
  });

  test('what another program has given away stays there; rules that break give nothing until they are mended', async () => {
    await using lab = await open({ world });
    await using running = new Running(lab, 'auto u1 serial=S1');
    await running.ready();
    running.rules.set('auto u1 serial=S1\nnonsense');
    await running.times('trouble');
    await lab.sim.plug(STICK);
    await attachDevice(lab.host, { domain: 'u2', device: '1-8' });
    running.rules.set('auto u1 serial=S1');
    await running.until(() => running.watch.some(({ event }) => event === 'attached'));
    await settled(running, lab, ['1-8 2']);
    await detachDevice(lab.host, { device: '1-8' });
    await settled(running, lab, ['1-8 1']);
  });

  test('killed at any request, and started again', async () => {
    for (const after of kills) {
      await using lab = await open({ world });
      {
        await using running = new Running(lab, 'auto u1 serial=S1');
        await running.ready();
        running.killAfter(after);
        await lab.sim.plug(STICK);
        await running.until(
          () => running.isKilled || running.watch.some(({ event }) => event === 'assigned'),
        );
      }
      await using running = new Running(lab, 'auto u1 serial=S1');
      await running.ready();
      await settled(running, lab, ['1-8 1']);
      await detachDevice(lab.host, { device: '1-8' });
      await lab.assertSound();
    }
  });

  test('claims by the daemon and by cold commands at once: no port and no device twice', async () => {
    await using lab = await open({ world: crowd });
    await using running = new Running(lab);
    await running.ready();
    const asked = { what: 'attach', by: ROOT, request: {} };
    const wishes = Array.from({ length: CLAIMS }, (_, i) => ({
      domain: (i % 4) + 1,
      device: `1-${(i % 12) + 1}`,
      devid: 0,
    }));
    const outcomes = await Promise.allSettled(
      wishes.map((wish, i) =>
        i % 2 === 0
          ? running.daemon.operate(asked, (host, options) =>
              attachDevice(host, wish, { ...options, watchMs: 0 }),
            )
          : attachDevice(lab.host, wish, { watchMs: 0 }),
      ),
    );
    const places = outcomes.flatMap((outcome) => {
      if (outcome.status === 'fulfilled') {
        const { domid, devid, port } = outcome.value.result;
        return [`${domid}/${devid}/${port}`];
      }
      const isClean = isPvusbError(
        outcome.reason,
        'already-attached',
        'controller-full',
        'port-in-use',
        'conflict',
      );
      assert.ok(isClean, String(outcome.reason));
      return [];
    });
    assert.equal(new Set(places).size, places.length, 'a port was given twice');
    assert.equal(places.length, 12, 'every device is with somebody');
    assert.equal(new Set((await held(lab)).map((text) => text.split(' ')[0])).size, 12);
    await lab.assertSound();
  });
}
