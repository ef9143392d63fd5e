/** A controller of type qusb as QEMU serves it (`hw/xen/xen-legacy-backend.c`, `hw/usb/xen-usb.c` of QEMU 7.2). */
import { type ActorStore, readState, type Work, writeExisting, writeInto } from '../actors/actor.js';
import { XenbusState } from '../actors/xenbus.js';
import { type UsbAccess, UsbHost } from './usb-host.js';

/** `io/usbif.h`: the ports and the USB versions a controller can have. */
const PORTS_MAX = 31;
const VERSIONS = [1, 2];

/** Mbit/s of the fastest device that a USB 1.1 controller takes. */
const FULL_SPEED = 12;

/** What a controller needs from the QEMU it is in. */
interface QusbHooks {
  readonly store: ActorStore;
  readonly work: Work;
  readonly access: UsbAccess;
  /** A `usb-host` was added; false when QEMU has died of it. */
  added(host: UsbHost): Promise<boolean>;
  removed(host: UsbHost): void;
  /** False when the process is gone. */
  alive(): boolean;
}

/** One controller. Its methods are pieces of its QEMU's work, which run one at a time. */
export class QusbController {
  /** `xen-qusb-0`: QEMU's name for it. */
  readonly id: string;
  readonly #path: string;
  readonly #name: string;
  readonly #hooks: QusbHooks;
  readonly #ports = new Map<number, UsbHost>();
  /** What QEMU believes the states to be: it never reads its own back. */
  #state: number = XenbusState.unknown;
  #frontendState: number = XenbusState.unknown;
  #frontend = '';
  #portCount = 0;
  #version = 0;
  #unwatch: (() => Promise<void>) | undefined;

  constructor(path: string, devid: string, hooks: QusbHooks) {
    this.#path = path;
    this.id = `xen-qusb-${devid}`;
    this.#name = `qusb-${devid}`;
    this.#hooks = hooks;
  }

  /** Takes over a controller in the state it is in, for a QEMU that is already running when the world begins. */
  async adopt(state: number): Promise<void> {
    if (!(await this.#setUp())) return;
    this.#state = state;
    await this.#readShape();
    await this.#readPorts();
  }

  /** Its directory changed, or is gone: true when it is. */
  async changed(): Promise<boolean> {
    if ((await this.#hooks.store.read(this.#path)) === undefined) {
      await this.#free();
      return true;
    }
    if (this.#portCount > 0) await this.#readPorts();
    await this.#advance();
    return false;
  }

  /** The process is gone: its watch ends, and that is all. */
  async drop(): Promise<void> {
    await this.#unwatch?.();
  }

  /** `xen_be_check_state` */
  async #advance(): Promise<void> {
    if (this.#frontendState === XenbusState.closing || this.#frontendState === XenbusState.closed) {
      await this.#switch(this.#frontendState);
      return;
    }
    let on = true;
    while (on && this.#hooks.alive()) {
      switch (this.#state) {
        case XenbusState.unknown:
          on = await this.#setUpNew();
          break;
        case XenbusState.initialising:
          on = await this.#init();
          break;
        case XenbusState.initWait:
          on = await this.#connect();
          break;
        case XenbusState.closed:
          on = this.#frontendState === XenbusState.initialising;
          if (on) await this.#switch(XenbusState.initialising);
          break;
        default:
          on = false;
      }
    }
  }

  /** `xen_be_try_setup` */
  async #setUpNew(): Promise<boolean> {
    const state = await readState(this.#hooks.store, this.#path);
    if (state !== XenbusState.initialising) {
      this.#say(`initial backend state is wrong (${state})`);
      return false;
    }
    if (!(await this.#setUp())) return false;
    await this.#switch(XenbusState.initialising);
    return true;
  }

  async #setUp(): Promise<boolean> {
    const { store, work } = this.#hooks;
    const frontend = await store.read(`${this.#path}/frontend`);
    if (!frontend?.startsWith('/local/domain/')) {
      this.#say('reading frontend path failed');
      return false;
    }
    if (this.#frontend === '') {
      this.#frontend = frontend;
      this.#unwatch = await work.watch(`${frontend}/state`, async () => {
        this.#frontendState = await readState(store, frontend);
        await this.#advance();
      });
    }
    this.#frontendState = await readState(store, frontend);
    return true;
  }

  /** `xen_be_try_init`: what is in the ports is opened before anyone is told that the controller exists. */
  async #init(): Promise<boolean> {
    if ((await this.#hooks.store.read(`${this.#path}/online`)) !== '1') return false;
    if (!(await this.#readShape())) return false;
    await this.#readPorts();
    if (!this.#hooks.alive()) return false;
    await writeInto(this.#hooks.store, this.#path, 'hotplug-status', 'connected');
    await this.#switch(XenbusState.initWait);
    return true;
  }

  async #readShape(): Promise<boolean> {
    const portCount = await this.#number(`${this.#path}/num-ports`);
    const version = await this.#number(`${this.#path}/usb-ver`);
    if (!(portCount >= 1 && portCount <= PORTS_MAX)) {
      this.#say('num-ports not readable or out of bounds');
      return false;
    }
    if (!VERSIONS.includes(version)) {
      this.#say('usb-ver not readable or out of bounds');
      return false;
    }
    this.#portCount = portCount;
    this.#version = version;
    return true;
  }

  /** `usbback_connect`: the rings exist; the guest hears of all devices and configures them. */
  async #connect(): Promise<boolean> {
    if (this.#frontendState !== XenbusState.initialised && this.#frontendState !== XenbusState.connected)
      return false;
    for (const key of ['urb-ring-ref', 'conn-ring-ref', 'event-channel']) {
      if (Number.isNaN(await this.#number(`${this.#frontend}/${key}`))) {
        this.#say(`error reading ${key}`);
        return false;
      }
    }
    await this.#switch(XenbusState.connected);
    for (const host of this.#ports.values()) await host.claim();
    return true;
  }

  /** `usbback_process_port` for each of the controller's ports; others are never looked at. */
  async #readPorts(): Promise<void> {
    for (let port = 1; port <= this.#portCount && this.#hooks.alive(); port++) {
      const busid = await this.#hooks.store.read(`${this.#path}/port/${port}`);
      if (busid === undefined) this.#say(`xenstore_read port/${port} failed`);
      else if (busid === '') await this.#remove(port);
      else await this.#add(port, busid);
    }
  }

  async #add(port: number, busid: string): Promise<void> {
    if (this.#ports.has(port)) return;
    const dash = busid.indexOf('-');
    if (dash < 0) {
      this.#say(`device ${busid} illegal specification`);
      return;
    }
    // atoi: what is not a number is bus 0, which no host has; the device then never appears.
    const match = { hostbus: Number.parseInt(busid, 10) || 0, hostport: busid.slice(dash + 1) };
    const spec = { id: `${this.id}-${port}`, bus: `${this.id}.0`, port: String(port), match };
    const host = new UsbHost(spec, this.#hooks.access);
    const opened = await host.open();
    this.#ports.set(port, host);
    if (!(await this.#hooks.added(host))) return;
    const speed = opened ? (host.find()?.spec.speedMbps ?? 0) : 0;
    if (this.#version < 2 && speed > FULL_SPEED) {
      this.#say(`device ${busid} wrong speed`);
      await this.#remove(port);
      return;
    }
    if (this.#state === XenbusState.connected) await host.claim();
  }

  async #remove(port: number): Promise<void> {
    const host = this.#ports.get(port);
    if (!host) return;
    this.#ports.delete(port);
    this.#hooks.removed(host);
    await host.close();
  }

  async #free(): Promise<void> {
    for (const port of [...this.#ports.keys()]) await this.#remove(port);
    this.#portCount = 0;
    await this.#unwatch?.();
  }

  async #switch(state: number): Promise<void> {
    // Setting up writes the state that is already there (recorded).
    if (this.#state === state && state !== XenbusState.initialising) return;
    this.#state = state;
    await writeExisting(this.#hooks.store, `${this.#path}/state`, String(state));
  }

  async #number(path: string): Promise<number> {
    const text = await this.#hooks.store.read(path);
    return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  }

  #say(line: string): void {
    this.#hooks.access.log.push(`xen be: ${this.#name}: ${line}`);
  }
}
