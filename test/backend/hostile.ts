/** A hostile guest and a hostile device, by the numbers of a dice. */
import assert from 'node:assert/strict';
import { Budget } from '../../src/backend/budget.js';
import { VirtualDevice } from '../../src/backend/virtual/device.js';
import { Keyboard } from '../../src/backend/virtual/keyboard.js';
import { SourceSink } from '../../src/backend/virtual/source-sink.js';
import { Stick } from '../../src/backend/virtual/stick.js';
import { memoryStorage } from '../../src/backend/virtual/storage.js';
import type { GuestDevice } from '../../src/sim/frontend/index.js';
import { PipeBits, REQUEST_WORDS, RingOffset } from '../../src/usbif/layout.js';
import type { Dice } from '../fuzz/fuzz.js';
import { Stage } from './stage.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What can be plugged in. */
function anyDevice(dice: Dice): VirtualDevice {
  const image = new Uint8Array(65_536);
  return new VirtualDevice(
    dice.pick([() => new Stick(memoryStorage(image), 'A1'), () => new Keyboard(), () => new SourceSink()])(),
  );
}

/** One hostile guest next to one that is not, on the same backend. */
export class HostileGuest {
  readonly #budget = new Budget({ perGuest: 1 << 20, inAll: 2 << 20 });
  readonly hostile = new Stage({ domid: 7, budget: this.#budget });
  readonly innocent = new Stage({ domid: 8, budget: this.#budget });
  readonly #refs: number[] = [];
  #device: GuestDevice | undefined;
  /** What a backend of another process had in flight is no part of this one's budget. */
  #wasKilled = false;
  /** Requests sent. */
  sent = 0;

  /** Sets both guests up. */
  async begin(dice: Dice): Promise<void> {
    this.innocent.plug(1, new VirtualDevice(new SourceSink('mod63')));
    await this.innocent.guest.waitFor(1, true);
    this.#device = await this.innocent.guest.enumerate(1);
    for (let port = 1; port <= 3; port++) this.hostile.plug(port, anyDevice(dice));
    await this.hostile.guest.waitFor(3, true);
    for (let port = 1; port <= 3; port++) await this.hostile.guest.enumerate(port);
    const { grants } = this.hostile.guest.hcd;
    for (let page = 0; page < 12; page++) this.#refs.push(grants.grant(new Uint8Array(4096), page % 4 === 0));
    this.#refs.push(grants.grant(this.hostile.guest.hcd.urbRing, false));
  }

  /** Sends requests, and does other things meanwhile, until so many were sent or the backend has had enough. */
  async run(dice: Dice, requests: number): Promise<void> {
    const { hcd } = this.hostile.guest;
    const ring = new Int32Array(hcd.urbRing.buffer);
    let sent = 0;
    while (sent < requests && this.hostile.broken === undefined) {
      for (let burst = dice.int(17); burst > 0; burst--) {
        const inFlight =
          (ring[RingOffset.requestProducer / 4]! - ring[RingOffset.responseProducer / 4]!) >>> 0;
        if (inFlight >= 16) break;
        hcd.sendRaw(this.#request(dice));
        sent++;
      }
      if (dice.chance(0.03)) await this.#meddle(dice, ring);
      if (dice.chance(0.5)) await turn();
    }
    this.sent += sent;
    await this.#innocentWorks();
  }

  #request(dice: Dice): Uint32Array {
    const words = new Uint32Array(REQUEST_WORDS);
    for (let at = 0; at < words.length; at++) words[at] = dice.int(0x1_0000_0000);
    if (dice.chance(0.05)) return words;
    const count = dice.pick([0, 0, 1, 1, 2, 5, 14, 16, 17]);
    const length = dice.pick([1, 8, 64, 512, 4096]);
    const isIsochronous = dice.chance(0.2);
    const type = isIsochronous ? 0 : dice.int(4);
    words[0] = dice.int(dice.pick([16, 0x10000])) | (count << 16);
    words[1] =
      dice.pick([0, 1, 1, 2, 2, 3, 3, 9, 31]) |
      (dice.chance(0.1) ? PipeBits.unlink : 0) |
      (dice.chance(0.5) ? PipeBits.input : 0) |
      (dice.pick([0, 1, 2, 3, 3, 99]) << PipeBits.addressShift) |
      (dice.pick([0, 0, 1, 1, 2, 2, 7]) << PipeBits.endpointShift) |
      (type << PipeBits.typeShift);
    words[2] = dice.int(2) | ((count * length) << 16);
    if (dice.chance(0.7)) words[3] = this.#setup(dice);
    words[4] = isIsochronous
      ? dice.pick([1, 4, 8, 128, 200]) | (dice.int(3) << 16)
      : dice.pick([0, 8, 64]) << 16;
    for (let segment = 0; segment < 16; segment++) {
      words[5 + 2 * segment] = dice.chance(0.95) ? dice.pick(this.#refs) : dice.int(0x1_0000_0000);
      const offset = dice.chance(0.9) ? dice.int(4097 - length) : dice.int(0x10000);
      words[6 + 2 * segment] = offset | (length << 16);
    }
    return words;
  }

  #setup(dice: Dice): number {
    const requestType = dice.pick([0x80, 0, 1, 2, 0x81, 0x82, 0x21, 0xa1, 0xc0, 0x40, dice.int(256)]);
    const request = dice.pick([0, 1, 3, 5, 6, 8, 9, 10, 11, 0x5b, 0x5c, 0xfe, 0xff, dice.int(256)]);
    const value = dice.pick([0, 1, 2, 3, 0x100, 0x200, 0x300, 0xf00, dice.int(0x10000)]);
    return requestType | (request << 8) | (value << 16);
  }

  async #meddle(dice: Dice, ring: Int32Array): Promise<void> {
    const { controller } = this.hostile;
    const port = 1 + dice.int(3);
    await dice.pick<() => void | Promise<void>>([
      () => {
        ring[RingOffset.responseEvent / 4] = dice.int(0x1_0000_0000);
      },
      () => {
        ring[16 + dice.int(592)] = dice.int(0x1_0000_0000);
      },
      () => {
        if (dice.chance(0.5)) ring[RingOffset.requestProducer / 4] = dice.int(0x1_0000_0000);
        this.hostile.guest.hcd.events.notifyBackend();
      },
      () => this.hostile.guest.hcd.grants.revoke(dice.pick(this.#refs)),
      () => {
        this.#refs.push(this.hostile.guest.hcd.grants.grant(new Uint8Array(4096), dice.chance(0.3)));
      },
      () => (controller.ports.get(port)?.device as VirtualDevice | undefined)?.pullOut(),
      () => controller.unplug(port),
      () => {
        if (!controller.ports.has(port)) controller.plug(port, anyDevice(dice));
      },
      async () => {
        if (!dice.chance(0.2)) return;
        await this.hostile.kill();
        this.#wasKilled = true;
      },
    ])();
  }

  async #innocentWorks(): Promise<void> {
    const { guest } = this.innocent;
    const data = new Uint8Array(2000);
    assert.equal((await guest.start(this.#device!, 0x81, data).done).actualLength, 2000);
    assert.equal(data[500], 500 % 63);
    this.innocent.check();
  }

  /** Everything is given back. */
  async end(): Promise<void> {
    await this.hostile.controller.close();
    await this.#innocentWorks();
    if (!this.#wasKilled) assert.equal(this.#budget.total, 0);
  }
}
