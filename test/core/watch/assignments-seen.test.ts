/** What a watch remembers of assigned devices, on a clock of the test's own. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assignmentsOf, decisionsOf, type Inventory } from '../../../src/pvusb/index.js';
import { AssignmentsSeen } from '../../../src/pvusb/watch/assignments-seen.js';
import { parseDeviceName, type UsbDevice } from '../../../src/sysfs/index.js';

const INTERFACE = { id: '1-8:1.0' as never, number: 0, classes: 'ff/00/00' };
const HUB = usb('usb1', '1d6b:0002', '0000:00:14.0', 1);

function usb(name: string, ids: string, serial: string, address: number): UsbDevice {
  return {
    busid: parseDeviceName(name)!,
    kind: name.startsWith('usb') ? 'root-hub' : 'device',
    bus: 1,
    address,
    vendorId: ids.slice(0, 4),
    productId: ids.slice(5),
    deviceClass: '00',
    speedMbps: 12,
    serial,
    interfaces: [{ ...INTERFACE, driver: 'usbback' as never }],
  };
}

/** A host with this device and this rule; the device is with the guest, or not. */
function host(rule: string, device: UsbDevice | undefined, isGiven: boolean): Inventory {
  const busid = device?.busid;
  const free = device && { ...device, interfaces: [INTERFACE] };
  return {
    format: 'pvusb-inventory-1',
    usbback: true,
    devices: [HUB, (isGiven ? device : free) ?? []].flat(),
    domains: [{ domid: 1, name: 'u1', type: 'pv', alive: true, uuid: 'x' }],
    controllers: [
      {
        domid: 1,
        devid: 0,
        type: 'pv',
        version: 2,
        portCount: 8,
        backendDomid: 0,
        online: true,
        untrustedFrontend: { state: 4 },
        ports: [{ port: 1, ...(isGiven && busid ? { busid } : {}) }],
        strayPorts: [],
      },
    ],
    qemus: [],
    saved: [],
    savedDrivers: [],
    orphanBackends: [],
    ruleFiles: [{ path: 'a.conf', text: rule }],
  };
}

const DONGLE = usb('1-8', '1111:0001', 'S1', 5);
const BOOTLOADER = usb('1-8', '0483:df11', 'BOOT', 6);

/** What is to be given at a time. */
function look(seen: AssignmentsSeen, inventory: Inventory, nowMs: number): string[] {
  const followed = seen.follow(inventory, decisionsOf(inventory), nowMs);
  return seen.see(inventory, assignmentsOf(inventory, { followed }), nowMs).map(({ busid }) => busid!);
}

describe('a device that leaves its socket', () => {
  for (const [rule, forMs] of [
    ['auto u1 serial=S1', 15_000],
    ['auto u1 serial=S1 follow=60', 60_000],
    ['auto u1 serial=S1 follow=0', 0],
  ] as const) {
    test(`is followed for ${forMs} ms: ${rule}`, () => {
      for (const [afterMs, isFollowed] of [
        [forMs, true],
        [forMs + 1, false],
      ] as const) {
        const seen = new AssignmentsSeen();
        assert.deepEqual(look(seen, host(rule, DONGLE, true), 0), []);
        assert.deepEqual(look(seen, host(rule, undefined, false), 1_000), []);
        const back = look(seen, host(rule, BOOTLOADER, false), 1_000 + afterMs);
        assert.deepEqual(back, isFollowed ? ['1-8'] : []);
      }
    });
  }

  test('is not followed by one that another rule is about', () => {
    const seen = new AssignmentsSeen();
    const rule = 'auto u1 serial=S1\ndeny * id=0483:*';
    look(seen, host(rule, DONGLE, true), 0);
    assert.deepEqual(look(seen, host(rule, BOOTLOADER, false), 1), []);
  });

  test('is not followed by the one after the next, unless that one comes in time too', () => {
    const seen = new AssignmentsSeen();
    const rule = 'auto u1 serial=S1';
    look(seen, host(rule, DONGLE, true), 0);
    assert.deepEqual(look(seen, host(rule, BOOTLOADER, false), 1), ['1-8']);
    const second = { ...BOOTLOADER, address: 7 };
    assert.deepEqual(look(seen, host(rule, second, false), 2), []);
  });
});

describe('a device that is taken from its guest', () => {
  test('stays off for this plug, this guest and this rule', () => {
    const seen = new AssignmentsSeen();
    const rule = 'auto u1 serial=S1';
    look(seen, host(rule, DONGLE, true), 0);
    assert.deepEqual(look(seen, host(rule, DONGLE, false), 1), []);
    assert.deepEqual(look(seen, host(rule, DONGLE, false), 1e9), []);
    assert.deepEqual(look(seen, host(`# moved\n${rule}`, DONGLE, false), 1e9), ['1-8']);
    assert.deepEqual(look(seen, host(rule, { ...DONGLE, address: 9 }, false), 1e9), ['1-8']);
  });
});

describe('a try that has failed', () => {
  test('is repeated after longer and longer, at least every five minutes', () => {
    const seen = new AssignmentsSeen();
    const inventory = host('auto u1 serial=S1', DONGLE, false);
    const pauses: number[] = [];
    let nowMs = 0;
    for (let i = 0; i < 12; i++) {
      assert.deepEqual(look(seen, inventory, nowMs), ['1-8']);
      const [assignment] = assignmentsOf(inventory);
      assert.equal(seen.fail(assignment!, DONGLE, 'no', nowMs), i === 0);
      assert.deepEqual(look(seen, inventory, seen.dueMs! - 1), []);
      pauses.push(seen.dueMs! - nowMs);
      nowMs = seen.dueMs!;
    }
    assert.deepEqual(pauses.slice(0, 4), [1_000, 2_000, 4_000, 8_000]);
    assert.deepEqual(pauses.slice(-2), [300_000, 300_000]);
  });
});
