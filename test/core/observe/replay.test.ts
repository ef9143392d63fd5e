/** The simulator simulates what `inventory --json` writes about a host, and its inventory is the same. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../../../src/async/index.js';
import { HostUses } from '../../../src/hostuse/index.js';
import { addController, attachDevice, type Inventory, observe } from '../../../src/pvusb/index.js';
import {
  labWorld,
  parseWorldText,
  qemuWorld,
  rebootDomain,
  SimHost,
  shortWorld,
} from '../../../src/sim/index.js';
import { Sysfs } from '../../../src/sysfs/index.js';
import { XenstoreClient } from '../../../src/xenstore/index.js';
import { anyText } from '../../support/any-text.js';
import { qemusOf } from '../../support/qemus.js';
import { projectRoot } from '../../xenstored/fetch.js';
import { controllerOf, type Lab, openSimulated } from '../support/test-host.js';

/** What an inventory has besides what every one has. */
const ALL = { details: true, asksForUses: true };

/** The inventory of a simulated host, as printed by the command. */
async function inventoryOf(sim: SimHost, { details, asksForUses } = ALL): Promise<Inventory> {
  const xenstore = new XenstoreClient(sim.store.connect(0));
  try {
    const qemu = qemusOf(sim, systemClock);
    const uses = new HostUses(sim.usb.hostFiles);
    const host = { xenstore, sysfs: new Sysfs(sim.usb.files), qemu, clock: systemClock, uses };
    const asked = { asks: 'all', details, uses: asksForUses ? 'all' : undefined } as const;
    return JSON.parse(JSON.stringify(await observe(host, asked)));
  } finally {
    xenstore.close();
  }
}

/** Simulates an inventory, and returns that of the simulated host. */
async function replayed(inventory: Inventory): Promise<Inventory> {
  // Recorded before these were.
  const details = inventory.devices.some(({ descriptors }) => descriptors !== undefined);
  const sim = await SimHost.create(parseWorldText(JSON.stringify(inventory)));
  try {
    return await inventoryOf(sim, { details, asksForUses: inventory.uses !== undefined });
  } finally {
    await sim.close();
  }
}

async function assertReplays(sim: SimHost): Promise<void> {
  await sim.idle();
  const inventory = await inventoryOf(sim);
  assert.deepEqual(await replayed(inventory), inventory);
}

describe('an inventory is simulated as it is', () => {
  const world = qemuWorld({ usbback: true });
  const states: Readonly<Record<string, (lab: Lab) => Promise<unknown>>> = {
    'of a host at rest': async () => undefined,
    'with a device on usbback': (lab) => attachDevice(lab.host, { domain: 'u1', device: '3-6' }),
    'with a device in a QEMU, through xenstore': async (lab) => {
      await addController(lab.host, { domain: 'p1', type: 'qusb' });
      await attachDevice(lab.host, { domain: 'p1', device: '4-1' });
    },
    'with a device in a QEMU, by command': (lab) => attachDevice(lab.host, { domain: 'h1', device: '4-1' }),
    'with a device that was pulled out': async (lab) => {
      await attachDevice(lab.host, { domain: 'u1', device: '4-1' });
      await lab.sim.unplug('4-1');
    },
    'with junk in a port, and a port too many': async (lab) => {
      await addController(lab.host, { domain: 'u1' });
      await lab.write('/local/domain/0/backend/vusb/1/0/port/1', 'no device \x1b');
      await lab.write('/local/domain/0/backend/vusb/1/0/port/99', '4-1');
    },
    'with what is saved about drivers, in all its parts': async (lab) => {
      await lab.write('/libxl/usbback/4-1/4-1@1_0/driver_path', '/sys/bus/usb/drivers/uas');
      await lab.write('/libxl/usbback/3-6/3-6@1_0/driver_path', 'no driver');
      await lab.write('/libxl/usbback/3-6/device', '46f4:0002;;01/01/04');
      await lab.write('/libxl/usbback/3-6/port', '/local/domain/0/backend/vusb/1/0/port/1');
    },
    'with a reason for a forced attach': (lab) => lab.write('/libxl/usbback/4-1/forced', 'it \x1b must'),
    'with a controller that has not been taken': (lab) =>
      lab.sim.addController(
        controllerOf({ domid: 1, devid: 3, type: 'qusb', backendState: 1, frontendState: 1 }),
      ),
    'with a controller whose removal has begun': async (lab) => {
      await addController(lab.host, { domain: 'u1' });
      await lab.write('/local/domain/0/backend/vusb/1/0/online', '0');
    },
    'with a controller of an unknown type': (lab) =>
      lab.sim.addController(controllerOf({ domid: 1, devid: 0, type: 'usbip', frontendState: 1 })),
    'with a domain that is dead': async (lab) => {
      await attachDevice(lab.host, { domain: 'u1', device: '3-6' });
      await lab.sim.killDomain(1, { leaveRecords: true });
    },
    'with a domain that has rebooted': async (lab) => {
      const domain = world.domains.find(({ name }) => name === 'u1')!;
      await rebootDomain(lab.sim, { domain, domid: 9, controllers: [controllerOf({ domid: 9, devid: 0 })] });
    },
    'with a QEMU that has died': async (lab) => {
      await addController(lab.host, { domain: 'p1', type: 'qusb' });
      await attachDevice(lab.host, { domain: 'p1', device: '4-1' });
      await lab.sim.qemus.get(3)!.kill();
    },
    'with a domain about which little is known': async (lab) => {
      await lab.rm('/local/domain/1/name');
      await lab.rm('/libxl/2/type');
      await lab.rm('/local/domain/2/vm');
      await lab.rm('/local/domain/0/name');
    },
    'with a QEMU of domain 0': (lab) => lab.write('/local/domain/0/device-model/0/state', 'running'),
    'with a backend that belongs to nothing': (lab) =>
      lab.write('/local/domain/0/backend/qusb/7/2/state', '6'),
  };
  for (const [name, happen] of Object.entries(states)) {
    test(name, async () => {
      await using lab = await openSimulated({ world });
      await happen(lab);
      await assertReplays(lab.sim);
    });
  }

  test('of the recorded hosts', async () => {
    for (const recorded of [labWorld(), qemuWorld(), qemuWorld({ usbback: true })]) {
      const sim = await SimHost.create(recorded);
      await assertReplays(sim);
      await sim.close();
    }
  });

  test('of hosts that were recorded elsewhere', async () => {
    const folder = join(projectRoot(), 'test/fixtures/inventories');
    for (const name of readdirSync(folder)) {
      const inventory = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Inventory;
      assert.deepEqual(await replayed(inventory), inventory, name);
    }
  });

  test('of any host', async () => {
    await fc.assert(
      fc.asyncProperty(anyWorld(), async (short) => {
        const sim = await SimHost.create(shortWorld(short));
        try {
          await assertReplays(sim);
        } finally {
          await sim.close();
        }
      }),
      { numRuns: 75 },
    );
  });
});

const HEX = (digits: number) =>
  fc.integer({ min: 0, max: 16 ** digits - 1 }).map((number) => number.toString(16).padStart(digits, '0'));

/** Texts as devices have them: hostile ones, too long ones, and with what escapes consist of. */
const text = fc.option(
  fc.oneof(
    anyText({ minLength: 1, maxLength: 200 }),
    fc.constantFrom('\x1b[2J', '\\x1b', 'a\\b', '\u202ecba', 'Stick'),
  ),
  { nil: undefined },
);

/** Uses by the host; `$` stands for something that is on no other device. The last ones share what they are part of. */
const USES = [
  ['mounted', 'sd$1', '/srv'],
  ['mounted', 'sd$2', '/a b\\c\n\x1b[2J\u202e#\t\u00fc'],
  ['mounted', 'vg$-root', '/'],
  ['mounted', 'md0', '/md'],
  ['swap', 'sd$3'],
  ['swap', 'vg$-root'],
  ['btrfs', 'sd$', '/data'],
  ['btrfs', 'sd$4'],
  ['exported', 'sd$', '3'],
  ['exported', 'vg$-root', '4'],
  ['lvm', 'sd$1', 'vg$-root'],
  ['crypt', 'vg$-root', 'secret$'],
  ['multipath', 'sd$', 'mpath$'],
  ['mapped', 'sd$', 'odd$'],
  ['loop', 'sd$2', 'loop$'],
  ['inactive', 'sd$5', 'an LVM volume group'],
  ['inactive', 'sd$1', 'a ZFS pool'],
  ['default-route', 'enx$'],
  ['default-route', 'br0'],
  ['address', 'enx$', '10.0.0.2'],
  ['address', 'enx$', 'fd00::2'],
  ['address', 'br0', '10.1.0.2'],
  ['ssh', 'enx$', '10.0.0.9'],
  ['ssh', 'enx$', 'fd00::9'],
  ['ssh', 'br0', '10.0.0.9'],
  ['route', 'enx$', '10.3.0.0/16'],
  ['route', 'enx$', 'fd01::/48'],
  ['netns', '$:1.0'],
  ['kernel-console', 'ttyUSB$'],
  ['keyboard', 'Some Keyboard'],
  ['keyboard', 'Virtual Keyboard'],
  ['sound', 'card$'],
  ['held', 'sd$', 'dd (5)'],
  ['open', 'input/event$', 'Xorg (6)'],
  ['md', 'sd$', 'md0'],
  ['md', 'sd$1', 'md0'],
  ['member', 'enx$', 'br0'],
] as const;

/** What the host may do with a device of this name. */
function usesOf(picked: readonly (typeof USES)[number][], busid: string) {
  const named = (text: string): string => text.replaceAll('$', busid);
  return picked.map(([use, name, of]) => ({
    use,
    name: named(name),
    ...(of === undefined ? {} : { of: named(of) }),
  }));
}

function anyWorld() {
  const interfaces = fc.uniqueArray(
    fc.record(
      {
        number: fc.integer({ min: 0, max: 20 }),
        classes: fc.constantFrom(
          '03/01/01',
          '08/06/50',
          '01/01/00',
          '01/02/00',
          'ff/00/00',
          '09/00/00',
          '0a/00/02',
        ),
        driver: fc.constantFrom(null, 'usbhid', 'option', 'qmi_wwan', 'usbfs'),
        authorized: fc.constantFrom(true, true, true, false),
      },
      { requiredKeys: ['number', 'classes'] },
    ),
    { selector: ({ number }) => number, maxLength: 4 },
  );
  const device = fc.record(
    {
      busid: fc
        .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 9 }))
        .map(([bus, port]) => `${bus}-${port}`),
      id: fc.tuple(HEX(4), HEX(4)).map(([vendor, product]) => `${vendor}:${product}`),
      class: fc.constantFrom('00', 'ef', 'ff', '09'),
      speed: fc.constantFrom(0, 1.5, 12, 480, 5000, 20000),
      manufacturer: text,
      product: text,
      serial: text,
      authorized: fc.constantFrom(true, true, true, false),
      configured: fc.constantFrom(true, true, true, false),
      descriptors: fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes).toString('base64')),
      interfaces,
      uses: fc.subarray([...USES], { maxLength: 6 }),
    },
    { requiredKeys: ['busid', 'id'] },
  );
  // Nothing but a bridge or an array is on two devices.
  const used = device.map(({ uses, ...rest }) => {
    const own = usesOf(uses ?? [], rest.busid);
    const isMade = (name: string): boolean => own.some(({ of }) => of === name);
    const shared = ['md0', 'br0', `vg${rest.busid}-root`];
    return { ...rest, uses: own.filter(({ name }) => !shared.includes(name) || isMade(name)) };
  });
  const rootHub = fc.record({
    busid: fc.constantFrom('usb1', 'usb2'),
    id: fc.constant('1d6b:0002'),
    ports: fc.dictionary(
      fc.constantFrom('1', '2'),
      fc.record(
        { peer: fc.constantFrom('9-1', '9-1.2'), connectType: fc.constantFrom('hotplug', 'not used') },
        { requiredKeys: [] },
      ),
    ),
  });
  const domain = fc.record(
    {
      domid: fc.integer({ min: 1, max: 6 }),
      name: fc.constantFrom('a', 'b', 'c d', '\x1b[31m'),
      type: fc.constantFrom('pv' as const, 'pvh' as const, 'hvm' as const),
      alive: fc.constantFrom(true, true, false),
      driver: fc.boolean(),
      deviceModel: fc.boolean(),
    },
    { requiredKeys: ['domid'] },
  );
  return fc.record({
    usbback: fc.boolean(),
    devices: fc.uniqueArray(fc.oneof({ weight: 4, arbitrary: used }, rootHub), {
      selector: ({ busid }) => busid,
      maxLength: 6,
    }),
    domains: fc.uniqueArray(domain, { selector: ({ domid }) => domid, maxLength: 4 }),
  });
}
