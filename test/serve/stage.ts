/** A simulated host whose guests have PVUSB frontends in memory, served by the backend as a process would. */
import assert from 'node:assert/strict';
import type { Clock } from '../../src/async/index.js';
import { plainMemory } from '../../src/backend/blocks.js';
import type { LentDevice } from '../../src/backend/boundary.js';
import { JOURNAL_BYTES } from '../../src/backend/journal.js';
import { VirtualDevice } from '../../src/backend/virtual/device.js';
import { Keyboard } from '../../src/backend/virtual/keyboard.js';
import { Stick } from '../../src/backend/virtual/stick.js';
import { memoryStorage } from '../../src/backend/virtual/storage.js';
import { openImages } from '../../src/hostuse/index.js';
import type { Host } from '../../src/pvusb/index.js';
import { StickImages } from '../../src/serve/images.js';
import { BackendServer, type Machine, type Rings } from '../../src/serve/index.js';
import { openVirtual } from '../../src/serve/virtual.js';
import { SimUsbGuest } from '../../src/sim/frontend/index.js';
import { labWorld, SimHost } from '../../src/sim/index.js';
import { hostOf } from '../../src/testing/index.js';
import { XenstoreClient } from '../../src/xenstore/index.js';
import { noise } from '../backend/stage.js';

/** A host with `u1` and `u2`, without usbback. */
export class ServedHost implements AsyncDisposable {
  readonly sim: SimHost;
  readonly client: XenstoreClient;
  readonly messages: string[] = [];
  /** The bytes of the stick in 4-1. */
  readonly image = noise(64 * 1024);
  /** Devices that are open, by busid. */
  readonly open = new Map<string, VirtualDevice>();
  /** What is plugged into the host, by busid. */
  readonly devices = new Map<string, () => VirtualDevice>([
    ['4-1', () => new VirtualDevice(new Stick(memoryStorage(this.image), 'LAB0001'))],
    ['3-2', () => new VirtualDevice(new Keyboard())],
  ]);
  readonly journals = new Map<string, Uint8Array>();
  /** What another backend that lives has announced. */
  otherBackend: string | undefined;
  readonly #images = new StickImages();
  readonly #virtuals = new Set<LentDevice>();
  readonly #guests = new Map<string, SimUsbGuest>();
  /** Guests whose memory is mapped. */
  readonly mapped = new Set<string>();
  #server: BackendServer | undefined;
  #serverClient: XenstoreClient | undefined;

  private constructor(sim: SimHost) {
    this.sim = sim;
    this.client = new XenstoreClient(sim.store.connect(0));
  }

  static async create(): Promise<ServedHost> {
    return new ServedHost(await SimHost.create({ ...labWorld(), usbback: false }));
  }

  /** Starts the backend. */
  async serve(clock?: Clock): Promise<BackendServer> {
    this.#serverClient = new XenstoreClient(this.sim.store.connect(0));
    this.#server = await BackendServer.start(this.#serverClient, this.#machine(), {
      announcement: ANNOUNCEMENT,
      clock,
      sysfs: hostOf(this.sim).sysfs,
      isAlive: async (other) => other === this.otherBackend,
      log: (message) => this.messages.push(message),
    });
    await this.settle();
    return this.#server;
  }

  /** kill -9: its connection, its event channels and its devices are gone at once. */
  async kill(): Promise<void> {
    for (const guest of this.#guests.values()) guest.hcd.events.kill();
    for (const device of this.open.values()) await device.close();
    this.open.clear();
    for (const device of this.#virtuals) await device.close();
    this.#virtuals.clear();
    this.#serverClient?.close();
    await this.#server?.ended;
  }

  #machine(): Machine {
    return {
      memory: plainMemory,
      openGuest: (domid, rings) => {
        const key = keyOf(domid, rings);
        const guest = this.#guests.get(key) ?? new SimUsbGuest(8);
        this.#guests.set(key, guest);
        this.mapped.add(key);
        const { memory, events } = guest.hcd;
        return { memory: { ...memory, close: () => this.mapped.delete(key) }, channel: events.bind() };
      },
      openVirtual: async (name) => {
        const device = await openVirtual(this.#images, name);
        this.#virtuals.add(device);
        return device;
      },
      openDevice: async (busid): Promise<LentDevice> => {
        const device = this.devices.get(busid)?.();
        if (!device) throw new Error(`${busid} is not there`);
        assert.ok(!this.open.has(busid), `${busid} is open already`);
        this.open.set(busid, device);
        const { usb } = this.sim;
        const interfaces = usb.device(busid)?.interfaces.map(({ id }) => id) ?? [];
        for (const id of interfaces) {
          await usb.disconnect(id);
          await usb.claim(id);
        }
        const close = device.close.bind(device);
        device.close = async () => {
          this.open.delete(busid);
          await close();
          for (const id of interfaces) await usb.release(id);
        };
        return device;
      },
      journal: (domid, devid) => {
        const key = `${domid}/${devid}`;
        const journal = this.journals.get(key) ?? new Uint8Array(JOURNAL_BYTES);
        this.journals.set(key, journal);
        return journal;
      },
      forget: (domid, devid) => void this.journals.delete(`${domid}/${devid}`),
      close: () => undefined,
    };
  }

  /** The frontend of the guest that is connected under this number. */
  async guest(domid: number, devid = 0): Promise<SimUsbGuest> {
    const path = `/local/domain/${domid}/device/vusb/${devid}`;
    const [urb, connection, channel] = await this.client.readMany(
      ['urb-ring-ref', 'conn-ring-ref', 'event-channel'].map((key) => `${path}/${key}`),
    );
    const rings = { urbRef: Number(urb), connectionRef: Number(connection), eventChannel: Number(channel) };
    const guest = this.#guests.get(keyOf(domid, rings));
    assert.ok(guest, `domain ${domid} is connected`);
    return guest;
  }

  /** Puts a device into a port, or nothing, as the toolstack does. */
  async setPort(domid: number, devid: number, port: number, busid: string): Promise<void> {
    await this.client.write(`${backend(domid, devid)}/port/${port}`, busid);
    await this.settle();
  }

  /** What the backend shows of a port. */
  portState(domid: number, devid: number, port: number): Promise<string | undefined> {
    return this.client.read(`${backend(domid, devid)}/port-state/${port}`);
  }

  /** The states of both ends. */
  async states(domid: number, devid = 0): Promise<string> {
    const [back, front] = await this.client.readMany([
      `${backend(domid, devid)}/state`,
      `/local/domain/${domid}/device/vusb/${devid}/state`,
    ]);
    return `${back} ${front}`;
  }

  /** Everybody has done what there is to do. */
  async settle(): Promise<void> {
    for (let round = 0; round < 12; round++) {
      await this.sim.idle();
      await this.client.read('/local');
      for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.close();
    for (const device of this.#virtuals) await device.close();
    this.#serverClient?.close();
    await this.sim.close();
    this.client.close();
  }
}

/** What the backend says of itself in xenstore. */
const ANNOUNCEMENT = '4711 100';

/** A host with a backend that serves, and pvusb's own view of it; `isAlive` ends the backend for that. */
export async function operated(): Promise<{ served: ServedHost; host: Host; isAlive: { value: boolean } }> {
  const served = await ServedHost.create();
  await served.serve();
  const isAlive = { value: true };
  const host = {
    ...hostOf(served.sim),
    images: openImages('/sys'),
    isServing: async (text: string) => isAlive.value && text === ANNOUNCEMENT,
  };
  return { served, host, isAlive };
}

function backend(domid: number, devid: number): string {
  return `/local/domain/0/backend/vusb/${domid}/${devid}`;
}

function keyOf(domid: number, { urbRef, connectionRef, eventChannel }: Rings): string {
  return [domid, urbRef, connectionRef, eventChannel].join(' ');
}
