import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DeviceListener, LentDevice, Transfer } from '../../src/backend/boundary.js';
import { Budget } from '../../src/backend/budget.js';
import { VirtualDevice } from '../../src/backend/virtual/device.js';
import { Stick } from '../../src/backend/virtual/stick.js';
import { memoryStorage } from '../../src/backend/virtual/storage.js';
import { GuestStorage, GuestUsbError } from '../../src/sim/frontend/index.js';
import { type Dice, fuzz } from '../fuzz/fuzz.js';
import { HostileGuest } from './hostile.js';
import { Stage } from './stage.js';

/** `npm run fuzz:backend` sets it to a million. */
const REQUESTS = Number(process.env.PVUSB_FUZZ_REQUESTS ?? 4000);
const REQUESTS_PER_CASE = 200;

describe('a hostile guest', () => {
  it('harms nothing: neither the backend nor another guest, and it gives everything back', async () => {
    let [sent, broken, kinds] = [0, 0, 0];
    await fuzz('requests of a hostile guest', Math.ceil(REQUESTS / REQUESTS_PER_CASE), async (dice) => {
      const guest = new HostileGuest();
      await guest.begin(dice);
      await guest.run(dice, REQUESTS_PER_CASE);
      await guest.end();
      sent += guest.sent;
      if (guest.hostile.broken !== undefined) broken++;
      if (guest.hostile.controller.counters.transfers > 0) kinds++;
    });
    process.stdout.write(`fuzz: ${sent} requests, ${broken} rings ended as impossible\n`);
    assert.ok(kinds > 0, 'some of them are carried out');
  });
});

/** A stick that lies: wrong lengths, wrong statuses, other descriptors, calls that fail, sudden ends. */
function lyingDevice(dice: Dice): LentDevice {
  const inside = new VirtualDevice(new Stick(memoryStorage(new Uint8Array(65_536)), 'A1'));
  const descriptors = inside.untrustedDescriptors.slice();
  for (let change = dice.int(4); change > 0; change--)
    descriptors[dice.int(descriptors.length)] = dice.int(256);
  const errno = (): number => dice.pick([0, 0, 0, 0, -5, -12, -19, -32, -71, -110]);
  let listener: DeviceListener | undefined;
  const lie = (transfer: Transfer): Transfer => {
    if (!dice.chance(0.1)) return transfer;
    transfer.actualLength = dice.pick([-1, 0, 1, 13, 1 << 30, dice.int(5000)]);
    transfer.status = dice.pick([0, errno(), -dice.int(140)]);
    return transfer;
  };
  return {
    speed: dice.pick(['low', 'full', 'high', 'super']),
    untrustedDescriptors: dice.chance(0.1)
      ? descriptors.subarray(0, dice.int(descriptors.length))
      : descriptors,
    untrustedBos: dice.chance(0.5) ? undefined : dice.bytes(40),
    configuration: dice.int(3),
    start: (given) => {
      listener = given;
      inside.start(given);
    },
    submit: (transfer) => {
      if (dice.chance(0.005)) inside.pullOut();
      return (dice.chance(0.05) ? errno() : 0) || inside.submit(transfer);
    },
    cancel: (transfer) => inside.cancel(transfer),
    reap: () => {
      const transfer = inside.reap();
      return transfer && lie(transfer);
    },
    setConfiguration: async (value) => errno() || inside.setConfiguration(value),
    setInterface: async (number, setting) => errno() || inside.setInterface(number, setting),
    clearHalt: async (endpoint) => {
      if (dice.chance(0.01)) listener?.gone();
      return errno() || inside.clearHalt(endpoint);
    },
    reset: async () => {
      if (dice.chance(0.05)) throw new Error('a call that fails in a way nobody thought of');
      return errno() || inside.reset();
    },
    close: () => inside.close(),
  };
}

describe('a hostile device', () => {
  it('ends no controller, and leaves no request without an answer', async () => {
    await fuzz('lying devices', Math.ceil(REQUESTS / 100), async (dice) => {
      const budget = new Budget();
      const stage = new Stage({ budget });
      const refused = stage.controller.plug(1, lyingDevice(dice));
      if (refused !== undefined) return;
      const { guest } = stage;
      await guest.waitFor(1, true);
      try {
        const device = await guest.enumerate(1);
        const storage = new GuestStorage(guest, device, 4096);
        for (let round = 0; round < 4; round++) {
          // Nothing of it has to work, but all of it has to end; a device that says nothing is unplugged.
          const ended = storage.read(4096 * dice.int(8), 8192);
          const timer = setTimeout(() => void stage.controller.unplug(1), 100);
          await ended.finally(() => clearTimeout(timer));
        }
      } catch (error) {
        if (!(error instanceof GuestUsbError)) throw error;
      }
      await stage.controller.unplug(1);
      await stage.controller.close();
      assert.equal(guest.hcd.dead, undefined);
      assert.equal(budget.total, 0);
    });
  });
});
