/** What happens to assigned devices: each scenario on any store, with what the assignments say after each step. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assignmentsOf, detachDevice, observe, reconcile } from '../../../src/pvusb/index.js';
import type { RuleFile } from '../../../src/rules/index.js';
import { type DeviceSpec, parseWorld, qemuWorld, type World } from '../../../src/sim/index.js';
import { controllerOf, type Lab, type OpenLab } from '../support/test-host.js';

const world = qemuWorld({ usbback: true });
const domainOf = (name: string) => world.domains.find((domain) => domain.name === name)!;

/** A stick that can be plugged in anywhere. */
const STICK: Omit<DeviceSpec, 'busid'> = {
  vendorId: '1111',
  productId: '0001',
  deviceClass: '00',
  speedMbps: 480,
  serial: 'S1',
  product: 'Stick',
  interfaces: [{ number: 0, classes: '08/06/50' }],
};
const { serial: _, ...TWIN } = STICK;

/** A host with rules. */
interface Ruled extends AsyncDisposable {
  readonly lab: Lab;
  /** Replaces all rules. */
  rule(...lines: readonly string[]): void;
  /** One pass. */
  reconcile(options?: { readonly moves?: boolean }): Promise<void>;
  /** The state of each assignment: `1-8 u1 present`, or with a reason. */
  states(): Promise<string[]>;
}

async function ruled(open: OpenLab, given: World = world): Promise<Ruled> {
  const lab = await open({ world: given });
  let files: RuleFile[] = [];
  const rules = {
    root: '/etc/pvusb',
    read: async () => files,
    change: () => Promise.reject(new Error('nobody changes the rules')),
  };
  const host = { ...lab.host, rules };
  return {
    lab,
    rule(...lines) {
      files = [{ path: 'assignments.conf', text: lines.join('\n') }];
    },
    async reconcile(options = {}) {
      const { unmet } = await reconcile(host, options);
      assert.deepEqual(unmet, []);
      await lab.sim.idle();
    },
    async states() {
      await lab.sim.idle();
      const assignments = assignmentsOf(await observe(host, { rules: true, asks: 'all' }));
      return assignments.map(({ busid, rule, status, why }) =>
        [busid ?? '-', rule.guest, status, ...(why === undefined ? [] : [why])].join(' '),
      );
    },
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
}

/** A guest that is served by each type of controller. */
const GUESTS = ['u1', 'p1', 'h1'];

/** Runs every scenario on hosts that `open` makes. */
export function scenarios(open: OpenLab): void {
  for (const guest of GUESTS) {
    test(`plugged in, pulled out, and plugged in again in the same socket: ${guest}`, async () => {
      await using host = await ruled(open);
      host.rule(`auto ${guest} id=1111:0001 serial=S1`);
      assert.deepEqual(await host.states(), [`- ${guest} missing No such device is plugged in.`]);
      await host.lab.sim.plug({ ...STICK, busid: '1-8' });
      assert.deepEqual(await host.states(), [`1-8 ${guest} pending`]);
      for (let round = 0; round < 2; round++) {
        await host.reconcile();
        assert.deepEqual(await host.states(), [`1-8 ${guest} present`]);
        await host.lab.sim.unplug('1-8');
        assert.deepEqual(await host.states(), [`- ${guest} missing No such device is plugged in.`]);
        await host.lab.sim.plug({ ...STICK, busid: '1-8' });
      }
      await host.reconcile();
      assert.deepEqual(await host.states(), [`1-8 ${guest} present`]);
      await detachDevice(host.lab.host, { device: '1-8' });
      await host.lab.assertSound();
    });

    test(`plugged into another socket, its old port is free again: ${guest}`, async () => {
      await using host = await ruled(open);
      host.rule(`auto ${guest} id=1111:0001 serial=S1`);
      await host.lab.sim.plug({ ...STICK, busid: '1-8' });
      await host.reconcile();
      await host.lab.sim.unplug('1-8');
      await host.lab.sim.plug({ ...STICK, busid: '1-7' });
      await host.reconcile();
      assert.deepEqual(await host.states(), [`1-7 ${guest} present`]);
      const { controllers } = await observe(host.lab.host);
      const held = controllers.flatMap(({ ports }) => ports.flatMap(({ busid }) => busid ?? []));
      assert.deepEqual(held, ['1-7']);
    });

    test(`the guest reboots: ${guest}`, async () => {
      await using host = await ruled(open);
      host.rule(`auto ${guest} id=1111:0001 serial=S1`);
      await host.lab.sim.plug({ ...STICK, busid: '1-8' });
      await host.reconcile();
      const { sim } = host.lab;
      await sim.killDomain(domainOf(guest).domid);
      await sim.addDomain({ ...domainOf(guest), domid: 9 });
      assert.deepEqual(await host.states(), [`1-8 ${guest} pending`]);
      await host.reconcile();
      assert.deepEqual(await host.states(), [`1-8 ${guest} present`]);
    });
  }

  test('by its socket, whatever is plugged in there; another socket is another matter', async () => {
    await using host = await ruled(open);
    host.rule('auto u1 socket=0000:00:01.0/8');
    await host.lab.sim.plug({ ...STICK, busid: '1-8' });
    const socket = await socketOf(host, '1-8');
    host.rule(`auto u1 socket=${socket}`);
    await host.reconcile();
    assert.deepEqual(await host.states(), ['1-8 u1 present']);
    await host.lab.sim.unplug('1-8');
    await host.lab.sim.plug({ ...STICK, busid: '1-7' });
    assert.deepEqual(await host.states(), ['- u1 missing No such device is plugged in.']);
    await host.lab.sim.plug({ ...TWIN, busid: '1-8' });
    await host.reconcile();
    assert.deepEqual(await host.states(), ['1-8 u1 present']);
  });

  test('two alike: nobody gets one, until a socket or one that is there says which', async () => {
    await using host = await ruled(open);
    host.rule('auto u1 id=1111:0001');
    await host.lab.sim.plug({ ...TWIN, busid: '1-8' });
    await host.lab.sim.plug({ ...TWIN, busid: '1-7' });
    const alike = (one: string, other: string) =>
      `${one} u1 conflicting ${one} and ${other} are identical: add socket= to choose one, or "every" for all.`;
    assert.deepEqual((await host.states()).sort(), [alike('1-7', '1-8'), alike('1-8', '1-7')]);
    await host.reconcile();
    assert.deepEqual((await host.states()).sort(), [alike('1-7', '1-8'), alike('1-8', '1-7')]);
    host.rule('auto u1 id=1111:0001', `auto u2 socket=${await socketOf(host, '1-7')}`);
    await host.reconcile();
    assert.deepEqual(await host.states(), ['1-8 u1 present', '1-7 u2 present']);
    host.rule('auto u1 id=1111:0001');
    assert.deepEqual(await host.states(), ['1-8 u1 present']);
    host.rule('auto u1 id=1111:0001 every');
    assert.deepEqual((await host.states()).sort(), [
      '1-7 u1 conflicting u2 (domain 2) has 1-7.',
      '1-8 u1 present',
    ]);
  });

  test('a guest that is off gets it when it is started', async () => {
    await using host = await ruled(open);
    host.rule('auto later id=1111:0001 serial=S1');
    await host.lab.sim.plug({ ...STICK, busid: '1-8' });
    assert.deepEqual(await host.states(), ['1-8 later pending later is not running.']);
    await host.reconcile();
    await host.lab.sim.addDomain({ domid: 7, name: 'later' });
    assert.deepEqual(await host.states(), ['1-8 later pending']);
    await host.reconcile();
    assert.deepEqual(await host.states(), ['1-8 later present']);
  });

  test('a rule that changes moves nothing by itself; told to, it does', async () => {
    await using host = await ruled(open);
    await host.lab.sim.plug({ ...STICK, busid: '1-8' });
    host.rule('auto u1 serial=S1');
    await host.reconcile();
    host.rule('auto u2 serial=S1');
    await host.reconcile();
    assert.deepEqual(await host.states(), ['1-8 u2 conflicting u1 (domain 1) has 1-8.']);
    await host.reconcile({ moves: true });
    assert.deepEqual(await host.states(), ['1-8 u2 present']);
    host.rule('deny * serial=S1', 'auto u2 serial=S1');
    assert.deepEqual(await host.states(), ['1-8 u2 denied assignments.conf:1:1 denies 1-8.']);
    host.rule('ask u2 serial=S1');
    await detachDevice(host.lab.host, { device: '1-8' });
    await host.reconcile();
    assert.deepEqual(await host.states(), ['1-8 u2 pending It is waiting for approval: pvusb attach u2 1-8']);
  });

  test('everything behind a hub, each in a port of its own', async () => {
    const hub = {
      ...STICK,
      deviceClass: '09',
      serial: '',
      maxChild: 6,
      interfaces: [{ number: 0, classes: '09/00/00' }],
    };
    await using host = await ruled(open);
    await host.lab.sim.plug({ ...hub, busid: '1-8' });
    for (let port = 1; port <= 5; port++)
      await host.lab.sim.plug({ ...STICK, serial: `S${port}`, busid: `1-8.${port}` });
    const socket = (await socketOf(host, '1-8.1')).replace(/\.1$/, '');
    host.rule(`auto u1 behind=${socket}`, `auto u2 socket=${socket}.3`, `deny * socket=${socket}.5`);
    await host.reconcile();
    assert.deepEqual((await host.states()).sort(), [
      '1-8.1 u1 present',
      '1-8.2 u1 present',
      '1-8.3 u2 present',
      '1-8.4 u1 present',
    ]);
  });

  test('the host reboots, and its buses have other numbers', async () => {
    const built = (left: string, right: string) => {
      const hub = { id: '1d6b:0002', class: '09' };
      const stick = { id: '1111:0001', interfaces: ['08/06/50'] };
      return parseWorld({
        format: 'pvusb-world-1',
        devices: [
          { busid: `usb${left}`, serial: '0000:00:14.0', ...hub },
          { busid: `usb${right}`, serial: '0000:03:00.0', ...hub },
          { busid: `${left}-2`, ...stick },
          { busid: `${right}-2`, ...stick },
        ],
        domains: [
          { domid: 1, name: 'u1' },
          { domid: 2, name: 'u2' },
        ],
      });
    };
    for (const [left, right] of [
      ['1', '2'],
      ['2', '1'],
    ] as const) {
      await using host = await ruled(open, built(left, right));
      host.rule('auto u1 socket=0000:00:14.0/2', 'auto u2 socket=0000:03:00.0/2');
      await host.reconcile();
      assert.deepEqual(await host.states(), [`${left}-2 u1 present`, `${right}-2 u2 present`]);
    }
  });

  test('a place that the rule names', async () => {
    await using host = await ruled(open);
    await host.lab.sim.addController(controllerOf({ domid: 1, devid: 0 }));
    await host.lab.sim.plug({ ...STICK, busid: '1-8' });
    host.rule('auto u1 serial=S1 controller=2 port=3');
    await host.reconcile();
    assert.deepEqual(await host.states(), ['1-8 u1 present']);
    assert.equal(await host.lab.read('/local/domain/0/backend/vusb/1/2/port/3'), '1-8');
  });
}

async function socketOf({ lab }: Ruled, busid: string): Promise<string> {
  const { decide } = await import('../../../src/rules/index.js');
  const { devices } = await observe(lab.host, { details: true });
  return decide([], devices).find(({ device }) => device.busid === busid)!.socket;
}
