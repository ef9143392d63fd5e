/** A simulated Xen host: store, USB core, backend driver and guests, wired together as a world describes. */
import type { Actor, ActorStore } from '../actors/actor.js';
import { type GuestOptions, SimGuest } from '../actors/guest.js';
import { type Manner, SimUsbback } from '../actors/usbback.js';
import { busOf, type DeviceSpec, SimUsb, USBBACK, USBBACK_DRIVER } from '../kernel/index.js';
import { QmpError, SimQemu } from '../qemu/index.js';
import { SimStore, type XenstoreVersion } from '../store/index.js';
import {
  controllerNodes,
  domainNodes,
  hasDeviceModel,
  savedDriverPath,
  writeNodes,
  writeTogether,
} from '../toolstack/records.js';
import { BACKENDS, simType } from '../world/types.js';
import type { World, WorldController, WorldDomain } from '../world/world.js';
import { begin } from './beginnings.js';

/** The store that a host runs on, if it is not its own. */
export interface HostStore {
  /** Domain 0's view. */
  readonly dom0: ActorStore;
  /** A guest's view. */
  guest(domid: number): ActorStore | Promise<ActorStore>;
  /** Called before a guest's view is asked for. */
  introduce?(domid: number): void | Promise<void>;
  /** Called when a domain is gone. */
  release?(domid: number): void | Promise<void>;
}

/** How a host behaves. */
export interface HostOptions {
  /** `prompt` when absent. */
  readonly usbback?: Manner;
  /** The release of Xen whose C xenstored its own store behaves like; 4.17 when absent. */
  readonly xenstore?: XenstoreVersion;
}

/** A domain to add; the defaults are those of {@link WorldDomain}: pv, alive, with a driver. */
export type NewDomain = Pick<WorldDomain, 'domid'> & Partial<WorldDomain>;

/** A Xen host in memory. */
export class SimHost {
  /** The USB core of its dom0. */
  readonly usb: SimUsb;
  /** The guests that are alive, by domid. */
  readonly guests = new Map<number, SimGuest>();
  /** The QEMUs that were started and whose domain is alive, by domid; including dead ones. */
  readonly qemus = new Map<number, SimQemu>();

  readonly #store: HostStore;
  readonly #own: SimStore | undefined;
  #usbback: SimUsbback | undefined;

  private constructor(store: HostStore, own: SimStore | undefined, usb: SimUsb) {
    this.#store = store;
    this.#own = own;
    this.usb = usb;
  }

  /** Builds a host with a store of its own, and lets everything settle. */
  static async create(world: World, options: HostOptions = {}): Promise<SimHost> {
    const { xenstore: version } = options;
    const own = new SimStore(version === undefined ? {} : { version });
    const store: HostStore = {
      dom0: own.handle(0),
      guest: (domid) => own.handle(domid),
      introduce: (domid) => own.introduce(domid),
      release: (domid) => own.release(domid),
    };
    return SimHost.#start(world, store, own, options);
  }

  /** Builds a host on another store, for example a real xenstored; it need not be empty. */
  static async onStore(world: World, store: HostStore, options: HostOptions = {}): Promise<SimHost> {
    return SimHost.#start(world, store, undefined, options);
  }

  static async #start(
    world: World,
    store: HostStore,
    own: SimStore | undefined,
    options: HostOptions,
  ): Promise<SimHost> {
    const host = new SimHost(store, own, new SimUsb({ drivers: world.drivers }));
    // A store allows only known domains to own nodes.
    for (const { domid, alive } of world.domains) if (alive) await store.introduce?.(domid);
    await begin(world, store.dom0, own);
    if (world.usbback) await host.loadUsbback(options.usbback, world.asFound);
    for (const device of world.devices) await host.usb.plug(device);
    const alive = world.domains.filter((domain) => domain.alive);
    for (const domain of alive) await host.#startQemu(domain, world);
    for (const controller of world.controllers) await host.#emulate(controller, world.notOpened);
    for (const domain of alive) await host.#boot(domain, world.asFound);
    await host.idle();
    return host;
  }

  /** The store. Throws on a host that runs on another store. */
  get store(): SimStore {
    if (!this.#own) throw new Error('this host runs on a store that is not its own');
    return this.#own;
  }

  /** The backend driver; undefined when dom0's kernel has none. */
  get usbback(): SimUsbback | undefined {
    return this.#usbback;
  }

  /** Loads the kernel's PVUSB backend. */
  async loadUsbback(manner: Manner = 'prompt', asFound = false): Promise<void> {
    const usbback = await SimUsbback.start(this.#store.dom0, { manner, asFound });
    this.#usbback = usbback;
    this.usb.answerWanted((busid) => usbback.wanted(busid));
    await this.usb.addDriver(USBBACK_DRIVER);
  }

  /** Unloads it: its interfaces have no driver, and nobody answers the frontends. */
  async unloadUsbback(): Promise<void> {
    await this.usb.removeDriver(USBBACK);
    await this.#usbback?.close();
    this.#usbback = undefined;
  }

  /** Creates a domain as libxl does, and boots it. */
  async addDomain(domain: NewDomain): Promise<void> {
    const whole: WorldDomain = {
      name: `guest${domain.domid}`,
      type: 'pv',
      alive: true,
      driver: true,
      ...domain,
    };
    await this.#store.introduce?.(whole.domid);
    // Libxl writes them at once (libxl__domain_make). Here the record, which says that there is a domain, comes last.
    const nodes = domainNodes(whole);
    const isRecord = ([path]: (typeof nodes)[number]): boolean => path.startsWith('/libxl');
    const [record, others] = [nodes.filter(isRecord), nodes.filter((node) => !isRecord(node))];
    await writeNodes(this.#store.dom0, [...others, ...record]);
    await this.#startQemu(whole);
    await this.#boot(whole);
  }

  /** Writes a controller as libxl does. */
  async addController(controller: WorldController): Promise<void> {
    await writeTogether(this.#store.dom0, controllerNodes(controller));
    await this.#emulate(controller);
  }

  /**
   * Ends a domain. Normally as `xl destroy` does, which also gives its devices back; with `leaveRecords` as if the
   * toolstack had died with it and its QEMU had been killed: records, backends and bindings stay, devices that QEMU had
   * are left without a driver.
   */
  async killDomain(domid: number, options: { readonly leaveRecords?: boolean } = {}): Promise<void> {
    const { dom0 } = this.#store;
    await this.guests.get(domid)?.close();
    this.guests.delete(domid);
    const qemu = this.qemus.get(domid);
    this.qemus.delete(domid);
    if (options.leaveRecords) await qemu?.kill();
    else {
      await qemu?.exit();
      await this.#remove(`/local/domain/0/device-model/${domid}`);
      await this.#takeDown(domid);
      const vm = await dom0.read(`/local/domain/${domid}/vm`);
      if (vm?.startsWith('/vm/')) await this.#remove(vm);
      await this.#remove(`/libxl/${domid}`);
    }
    await this.#remove(`/local/domain/${domid}`);
    await this.#store.release?.(domid);
  }

  /** Plugs a device into the host. */
  plug(device: DeviceSpec): Promise<void> {
    return this.usb.plug(device);
  }

  /** Pulls a device out; false when it is not plugged in. */
  unplug(busid: string): Promise<boolean> {
    return this.usb.unplug(busid);
  }

  /** Resolves when kernel and domains have nothing left to do. */
  async idle(): Promise<void> {
    for (let before = -1; ; ) {
      await Promise.all(this.#actors().map((actor) => actor.idle()));
      await this.usb.idle();
      const done = this.#actors().reduce((sum, { workDone }) => sum + workDone, 0);
      // One actor's work is another's event: it is done only when a whole round had no work.
      if (done === before) return;
      before = done;
    }
  }

  /** Ends all actors. The store keeps what it holds. Idempotent. */
  async close(): Promise<void> {
    await Promise.all(this.#actors().map((actor) => actor.close()));
  }

  #actors(): Actor[] {
    return [...(this.#usbback ? [this.#usbback] : []), ...this.qemus.values(), ...this.guests.values()];
  }

  async #boot(domain: WorldDomain, asFound = false): Promise<void> {
    const options: GuestOptions = {
      asFound,
      driver: domain.driver,
      ...(domain.hostile === undefined ? {} : { hostile: domain.hostile }),
    };
    this.guests.set(domain.domid, await SimGuest.start(await this.#store.guest(domain.domid), options));
  }

  async #startQemu(
    domain: WorldDomain,
    { notOpened = [], asFound = false }: Pick<World, 'notOpened' | 'asFound'> = {},
  ): Promise<void> {
    const { domid, type, announced, hasDeadQemu } = domain;
    const { dom0 } = this.#store;
    const path = `/local/domain/0/device-model/${domid}`;
    if (hasDeviceModel(domain)) {
      const options = { domid, type, asFound, refuse: notOpened };
      const qemu = await SimQemu.start(dom0, this.usb, options);
      this.qemus.set(domid, qemu);
      if (hasDeadQemu) await qemu.kill();
    }
    if (!announced) return;
    await dom0.mkdir(path);
    if (!announced.running) await this.#remove(`${path}/state`);
    if (!announced.qusb) await this.#remove(`${path}/backends/qusb`);
    if (announced.qusb) await dom0.mkdir(`${path}/backends/qusb`);
  }

  /** Gives a QEMU a controller of type devicemodel and what is in it, as libxl does. It does not have what QEMU refuses. */
  async #emulate(controller: WorldController, notOpened: readonly string[] = []): Promise<void> {
    const { domid, devid, type, version, portCount, ports } = controller;
    const qemu = this.qemus.get(domid);
    const isEmulated = simType(type)?.isOfQemu && simType(type)?.backend === undefined;
    if (!isEmulated || !qemu?.alive) return;
    const add = (fields: Readonly<Record<string, unknown>>) =>
      qemu.execute('device_add', fields).catch((error: unknown) => {
        if (!(error instanceof QmpError)) throw error;
      });
    const driver = ['piix3-usb-uhci', 'usb-ehci', 'nec-usb-xhci'][version - 1];
    const wide = version === 3 ? { p2: portCount, p3: portCount } : {};
    await add({ driver, id: `xenusb-${devid}`, ...wide });
    for (const [port, busid] of ports) {
      const device = this.usb.device(busid);
      if (!device || notOpened.includes(busid)) continue;
      const { address } = device;
      const bus = busOf(busid);
      const at = { bus: `xenusb-${devid}.0`, port: String(port), hostbus: bus, hostaddr: address };
      await add({ driver: 'usb-host', id: `xenusb-${bus}-${address}`, ...at });
    }
  }

  /** Removes the backends of a domain and gives their devices to the drivers they had. */
  async #takeDown(domid: number): Promise<void> {
    const { dom0 } = this.#store;
    for (const devid of (await dom0.directory(`/libxl/${domid}/device/vusb`)) ?? []) {
      for (const { backend: kind, isOfUsbback } of BACKENDS) {
        const backend = `/local/domain/0/backend/${kind}/${domid}/${devid}`;
        for (const port of (await dom0.directory(`${backend}/port`)) ?? []) {
          const busid = await dom0.read(`${backend}/port/${port}`);
          if (!busid) continue;
          await dom0.write(`${backend}/port/${port}`, '');
          // QEMU has given back what it had, or nobody does (recorded).
          if (isOfUsbback) await this.#giveBack(busid);
        }
        await this.#remove(backend);
        const parent = `/local/domain/0/backend/${kind}/${domid}`;
        if ((await dom0.directory(parent))?.length === 0) await dom0.rm(parent);
      }
    }
  }

  async #remove(path: string): Promise<void> {
    const { dom0 } = this.#store;
    if ((await dom0.read(path)) !== undefined) await dom0.rm(path);
  }

  async #giveBack(busid: string): Promise<void> {
    for (const { id, driver } of this.usb.device(busid)?.interfaces ?? []) {
      if (driver !== USBBACK) continue;
      await this.usb.unbind(USBBACK, id).catch(() => undefined);
    }
    for (const { id } of this.usb.device(busid)?.interfaces ?? []) {
      await this.usb.probe(id).catch(() => undefined);
    }
    await this.#remove(savedDriverPath(busid, '').split('/').slice(0, 4).join('/'));
  }
}
