/** A domain gets what a configuration names: no more with `apply`, no less with either. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  addController,
  applyUsb,
  attachDevice,
  detachDevice,
  findWanted,
  listInventory,
  observe,
  type Progress,
  planApply,
  prepareDomain,
  type WantedUsb,
} from '../../../src/pvusb/index.js';
import { qemuWorld } from '../../../src/sim/index.js';
import { compareWorlds } from '../support/invariants.js';
import { failure, type Lab, openSimulated } from '../support/test-host.js';

const world = qemuWorld({ usbback: true });

/** What a domain has: `0 pv 2/8: 4-1@1`. */
async function has(lab: Lab, domain: number): Promise<string[]> {
  const { controllers } = await listInventory(lab.host, { domain });
  return controllers.map(({ devid, type, version, portCount, ports }) => {
    const devices = ports.flatMap(({ port, busid }) => (busid === undefined ? [] : `${busid}@${port}`));
    return [`${devid} ${type} ${version}/${portCount}:`, ...devices].join(' ');
  });
}

/** Applies twice, the second time without effect; returns the changes. */
async function apply(lab: Lab, domain: number, usb: WantedUsb): Promise<string[]> {
  const { changes } = await applyUsb(lab.host, { domain, usb });
  await lab.sim.idle();
  assert.deepEqual((await applyUsb(lab.host, { domain, usb })).changes, []);
  return changes.map((made) =>
    'port' in made ? `${made.change} ${made.busid}` : `${made.change} ${made.devid}`,
  );
}

describe('applying a configuration', () => {
  for (const [type, domid, ports] of [
    ['pv', 1, 8],
    ['qusb', 3, 8],
    ['devicemodel', 4, 6],
  ] as const) {
    test(`takes a domain from nothing to everything it names, to something else, and back: ${type}`, async () => {
      await using lab = await openSimulated({ world });
      const before = await lab.snapshot();
      const first = { devid: 0, type };
      const usb: WantedUsb = {
        controllers: [first],
        devices: [
          { device: '4-1', devid: 0, port: 3 },
          { device: '1.2', devid: 0 },
        ],
      };
      assert.deepEqual(await apply(lab, domid, usb), ['added 0', 'attached 4-1', 'attached 1-1']);
      assert.deepEqual(await has(lab, domid), [`0 ${type} 2/${ports}: 1-1@1 4-1@3`]);
      const other: WantedUsb = {
        controllers: [first],
        devices: [
          { device: '4-1', devid: 0, port: 2 },
          { device: '1-1', devid: 0, port: 1 },
        ],
      };
      assert.deepEqual(await apply(lab, domid, other), ['detached 4-1', 'attached 4-1']);
      await lab.assertSound();
      assert.deepEqual(await apply(lab, domid, { controllers: [], devices: [] }), [
        'detached 1-1',
        'detached 4-1',
        'removed 0',
      ]);
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
      await lab.assertSound();
    });
  }

  test('replaces a controller that should be different, with its devices', async () => {
    await using lab = await openSimulated({ world });
    await addController(lab.host, { domain: 1, type: 'pv', ports: 4 });
    await attachDevice(lab.host, { domain: 1, device: '3-6', devid: 0, port: 2 });
    const devices = [{ device: '3-6', devid: 0, port: 2 }];
    const changes = await apply(lab, 1, { controllers: [{ devid: 0, type: 'pv', version: 1 }], devices });
    assert.deepEqual(changes, ['removed 0', 'added 0', 'attached 3-6']);
    assert.deepEqual(await has(lab, 1), ['0 pv 1/8: 3-6@2']);
    await lab.assertSound();
  });

  test('keeps a controller that the list does not name while a device in the list is on it', async () => {
    await using lab = await openSimulated({ world });
    const usb = { controllers: [], devices: [{ device: '4-1' }] };
    assert.deepEqual(await apply(lab, 1, usb), ['attached 4-1']);
    assert.deepEqual(await has(lab, 1), ['0 pv 2/8: 4-1@1']);
  });

  test('continues an interrupted detach, and gives again what the guest does not have', async () => {
    await using lab = await openSimulated({ world });
    const usb: WantedUsb = { controllers: [{ devid: 0 }], devices: [{ device: '3-6' }] };
    await apply(lab, 1, usb);
    const abort = new AbortController();
    const onStep = ({ step, phase }: Progress): void => {
      if (phase === 'done' && /^free port/.test(step.why)) abort.abort();
    };
    await failure(() => detachDevice(lab.host, { device: '3-6' }, { signal: abort.signal, onStep }));
    assert.equal(lab.driver('3-6:1.0'), undefined);
    assert.deepEqual(await apply(lab, 1, { controllers: [{ devid: 0 }], devices: [] }), [
      'detached undefined',
    ]);
    assert.equal(lab.driver('3-6:1.0'), 'snd-usb-audio');
    await lab.assertSound();
    // Claimed but not handed over, as a killed program leaves it.
    await lab.write('/local/domain/0/backend/vusb/1/0/port/1', '3-6');
    assert.deepEqual(await apply(lab, 1, usb), ['detached 3-6', 'attached 3-6']);
    await lab.assertSound();
  });

  test('places devices with a given port first, and moves another out of the way', async () => {
    await using lab = await openSimulated({ world });
    await attachDevice(lab.host, { domain: 1, device: '4-1' });
    const usb: WantedUsb = {
      controllers: [{ devid: 0 }],
      devices: [{ device: '4-1' }, { device: '1-1', devid: 0, port: 1 }],
    };
    assert.deepEqual(await apply(lab, 1, usb), ['detached 4-1', 'attached 1-1', 'attached 4-1']);
    assert.deepEqual(await has(lab, 1), ['0 pv 2/8: 1-1@1 4-1@2']);
  });

  test('frees the port of a device that has been pulled out', async () => {
    await using lab = await openSimulated({ world });
    await attachDevice(lab.host, { domain: 1, device: '4-1' });
    await lab.sim.unplug('4-1');
    assert.deepEqual(await apply(lab, 1, { controllers: [{ devid: 0 }], devices: [] }), ['detached 4-1']);
  });

  test('refuses what is impossible before it changes anything, and says where it was asked for', async () => {
    await using lab = await openSimulated({ world });
    await attachDevice(lab.host, { domain: 1, device: '4-1' });
    await attachDevice(lab.host, { domain: 3, device: '1-1' });
    const said = 'u1.cfg:3:7';
    const applying = (usb: Partial<WantedUsb>) => () =>
      applyUsb(lab.host, { domain: 1, usb: { controllers: [], devices: [], ...usb } });
    await lab.refuses([
      {
        code: 'no-such-device',
        says: [said, '9.9'],
        act: applying({ devices: [{ device: '9.9', said }] }),
      },
      {
        code: 'already-attached',
        says: [said, 'p1 (domain 3)'],
        act: applying({ devices: [{ device: '1-1', said }] }),
      },
      { code: 'is-hub', says: [said, '3-5'], act: applying({ devices: [{ device: '3-5', said }] }) },
      {
        code: 'invalid-configuration',
        says: [said, '40 ports'],
        act: applying({ controllers: [{ devid: 0, ports: 40, said }] }),
      },
      {
        code: 'no-such-controller',
        says: [said, 'controller 7'],
        act: applying({ devices: [{ device: '2-1', devid: 7, said }] }),
      },
      {
        code: 'invalid-configuration',
        says: [said, 'Port 1 of controller 0', 'twice'],
        act: applying({
          controllers: [{ devid: 0 }],
          devices: [
            { device: '2-1', devid: 0, port: 1 },
            { device: '3-2', devid: 0, port: 1, said },
          ],
        }),
      },
      {
        code: 'invalid-configuration',
        says: [said, 'twice'],
        act: applying({ devices: [{ device: '4-1' }, { device: '4.2', said }] }),
      },
      {
        code: 'invalid-configuration',
        says: [said, 'Controller 2', 'twice'],
        act: applying({ controllers: [{ devid: 2 }, { devid: 2, said }] }),
      },
      {
        code: 'unsupported-backend',
        says: ['Domain 5'],
        act: applying({ controllers: [{ devid: 0, backendDomid: 5 }] }),
      },
      {
        code: 'unsupported-backend',
        says: ['Domain 5'],
        act: applying({ controllers: [{ devid: 3, backendDomid: 5 }] }),
      },
    ]);
  });

  test('in a dry run plans every change on the host as the previous ones leave it, and makes none', async () => {
    await using lab = await openSimulated({ world });
    await attachDevice(lab.host, { domain: 1, device: '3-6' });
    const before = await lab.snapshot();
    const usb = { controllers: [{ devid: 0, ports: 2 }], devices: [{ device: '3-6', devid: 0, port: 2 }] };
    const { plans, changes } = await applyUsb(lab.host, { domain: 1, usb }, { dryRun: true });
    assert.deepEqual(
      plans.map(({ title }) => title),
      [
        'remove USB controller 0 of u1 (domain 1)',
        'add USB controller 0 to u1 (domain 1)',
        'attach 3-6 to port 2 of controller 0 of u1 (domain 1)',
      ],
    );
    assert.equal(changes.length, 3);
    assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    // What is planned for the interfaces is what is done: off the drivers that they will have by then.
    const taken = plans[2]!.steps.flatMap(({ act }) => (act.do === 'take' ? act.driver : []));
    assert.deepEqual([...new Set(taken)], ['snd-usb-audio']);
  });

  test('plans for the same host that it then finds', async () => {
    await using lab = await openSimulated({ world });
    const usb = {
      controllers: [{ devid: 0, type: 'pv' as const }],
      devices: [{ device: '4-1' }, { device: '3-7' }],
    };
    const inventory = await observe(lab.host);
    const planned = planApply(
      inventory,
      inventory.domains.find(({ domid }) => domid === 1)!,
      findWanted(inventory, usb),
    );
    await apply(lab, 1, usb);
    const shape = ({ controllers, devices }: typeof inventory) => ({
      ports: controllers.filter(({ domid }) => domid === 1).map(({ ports }) => ports),
      drivers: devices.map(({ busid, interfaces }) => [busid, interfaces.map(({ driver }) => driver)]),
    });
    assert.deepEqual(shape(planned.at(-1)!.after), shape(await observe(lab.host)));
  });
});

describe('preparing a domain', () => {
  test('adds what is missing and takes nothing away', async () => {
    await using lab = await openSimulated({ world });
    await attachDevice(lab.host, { domain: 1, device: '3-2' });
    await attachDevice(lab.host, { domain: 1, device: '4-1', devid: 0, port: 5 });
    const usb = {
      controllers: [{ devid: 0, ports: 2 }, { devid: 1 }],
      devices: [{ device: '4-1', devid: 0, port: 1 }, { device: '1-1' }],
    };
    await prepareDomain(lab.host, { domain: 1, usb });
    assert.deepEqual(await has(lab, 1), ['0 pv 2/8: 3-2@1 1-1@2 4-1@5', '1 pv 2/8:']);
    await lab.assertSound();
  });

  test('waits for a domain that does not exist yet, with a limit', async () => {
    await using lab = await openSimulated({ world });
    const waits: string[] = [];
    const onWait = ({ message }: Error): void => {
      waits.push(message);
      void lab.sim.addDomain({ domid: 12, name: 'late', type: 'pv' });
    };
    const usb = { controllers: [], devices: [{ device: '4-1' }] };
    await prepareDomain(lab.host, { domain: 'late', usb }, { onWait });
    assert.deepEqual(waits, ['There is no domain "late".']);
    assert.deepEqual(await has(lab, 12), ['0 pv 2/8: 4-1@1']);
    lab.beHasty();
    const error = await failure(() => prepareDomain(lab.host, { domain: 'never', usb }, { withinMs: 50 }));
    assert.equal(error.code, 'no-such-domain');
    await lab.assertSound();
  });

  test('refuses at once what waiting would not help', async () => {
    await using lab = await openSimulated({ world });
    const usb = { controllers: [], devices: [{ device: '9-9' }] };
    await lab.refuses([
      { code: 'no-such-device', says: ['9-9'], act: () => prepareDomain(lab.host, { domain: 1, usb }) },
    ]);
  });
});
