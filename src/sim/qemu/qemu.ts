/** A QEMU that serves one domain: paravirtual USB controllers through xenstore, emulated ones through QMP. */
import type { Transport } from '../../xenstore/transport.js';
import { type Actor, type ActorStore, readState, Work } from '../actors/actor.js';
import { XenbusState } from '../actors/xenbus.js';
import type { KernelChange, SimUsb } from '../kernel/index.js';
import { deviceModelNodes, writeNodes } from '../toolstack/records.js';
import { type Fields, Machine, QmpError, text } from './machine.js';
import { QEMU_VERSION, type QemuVersion, type QmpCommand, type QmpFate, QmpServer } from './qmp.js';
import { QusbController } from './qusb.js';
import type { UsbAccess, UsbHost } from './usb-host.js';

/** Which domain a QEMU serves. */
export interface QemuOptions {
  readonly domid: number;
  /** `hvm`: an emulated PC; the others get a machine without PCI, for paravirtual backends only. */
  readonly type: 'pv' | 'pvh' | 'hvm';
  /** What is already in the store is not an event for it: controllers stay in the states they are in. */
  readonly asFound?: boolean;
}

/** What the recorded QEMU printed when it died (a defect of QEMU 7.2 with two controllers). */
const ABORT =
  "xen-qemu-system-i386: ../../migration/savevm.c:851: vmstate_register_with_alias_id: Assertion `!se->compat || se->instance_id == 0' failed.";

/** What QEMU 10.0.13 printed when it died. */
const NO_HOTPLUG = "xen-qemu-system-i386: Device 'xen-backend' does not support hotplugging";

/** Process ids of simulated QEMUs begin here. */
const FIRST_PID = 1000;

/** A QEMU process. */
export class SimQemu implements Actor {
  readonly domid: number;
  /** What it wrote into its log, line by line. */
  readonly log: string[] = [];
  /** Decides what becomes of each QMP command; all pass when absent. */
  intercept: ((command: QmpCommand) => QmpFate) | undefined;
  /** False: the guest never lets go of an emulated controller, so that its `device_del` never ends. */
  guestEjects = true;
  /** Which QEMU it is: one since 10.0 dies when it is given a controller of type qusb. */
  version: QemuVersion = QEMU_VERSION;

  readonly #store: ActorStore;
  readonly #usb: SimUsb;
  readonly #work: Work;
  readonly #machine: Machine;
  readonly #qmp: QmpServer;
  readonly #backends: string;
  readonly #controllers = new Map<string, QusbController>();
  readonly #refused = new Set<string>();
  readonly #ends = new Set<() => void>();
  #alive = true;
  #stopListening: () => void = () => undefined;

  private constructor(store: ActorStore, usb: SimUsb, options: QemuOptions) {
    this.#store = store;
    this.#usb = usb;
    this.domid = options.domid;
    this.#work = new Work(store, options.asFound);
    this.#backends = `/local/domain/0/backend/qusb/${options.domid}`;
    this.#machine = new Machine(options.type === 'hvm', this.#access(), {
      // QEMU 7.2 answers first and sends the event then (observed).
      deleted: (id) =>
        this.#work.add(async () =>
          this.#qmp.event('DEVICE_DELETED', { device: id, path: `${PERIPHERAL}/${id}` }),
        ),
    });
    this.#qmp = new QmpServer({
      run: (command) => this.#run(command),
      enqueue: (piece) => this.#work.add(piece),
      decide: (command) => this.intercept?.(command) ?? 'pass',
      die: () => this.#end('dead'),
      version: () => this.version,
    });
  }

  /**
   * Starts a QEMU on dom0's view of a store, as libxl does, and announces it. Existing controllers, in any state but
   * Initialising, are taken over in their states; the devices in `refuse` cannot be opened.
   */
  static async start(
    store: ActorStore,
    usb: SimUsb,
    options: QemuOptions & { readonly refuse?: Iterable<string> },
  ): Promise<SimQemu> {
    const qemu = new SimQemu(store, usb, options);
    for (const busid of options.refuse ?? []) qemu.#refused.add(busid);
    await writeNodes(store, deviceModelNodes(options, FIRST_PID + options.domid));
    await store.write(`/local/domain/0/device-model/${options.domid}/state`, 'running');
    qemu.#stopListening = usb.onChange((change) => qemu.#usbChanged(change));
    for (const devid of (await store.directory(qemu.#backends)) ?? []) {
      const state = await readState(store, `${qemu.#backends}/${devid}`);
      if (state > XenbusState.initialising) await qemu.#controller(devid).adopt(state);
    }
    await qemu.#work.watch(qemu.#backends, (path) => qemu.#changed(path));
    qemu.#work.started();
    await qemu.#work.idle();
    qemu.#refused.clear();
    return qemu;
  }

  /** False when the process is gone. */
  get alive(): boolean {
    return this.#alive;
  }

  get workDone(): number {
    return this.#work.done;
  }

  /** The devices it holds, by name. */
  get held(): string[] {
    return this.#machine.hosts.flatMap(({ busid }) => busid ?? []);
  }

  idle(): Promise<void> {
    return this.#work.idle();
  }

  async close(): Promise<void> {
    this.#stopListening();
    this.#qmp.shut();
    await this.#work.close();
  }

  /** A connection to its QMP socket. */
  connectQmp(): Transport {
    return this.#qmp.connect();
  }

  /** Carries out one command as if a client had sent it, without faults. Rejects with a {@link QmpError}. */
  execute(execute: string, args: Fields = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (!this.#alive) reject(new Error('this QEMU is dead'));
      this.#work.add(() => this.#run({ execute, arguments: args }).then(resolve, reject));
    });
  }

  /** Makes the device one that QEMU cannot open, or (`refuse` false) one that it can: it then opens what its ports name. */
  refuseOpen(busid: string, refuse = true): void {
    if (refuse) this.#refused.add(busid);
    else this.#refused.delete(busid);
    if (!refuse) this.#work.add(() => this.#scan(busid));
  }

  /** Kills the process: what it wrote stays, and its devices are left without any driver. Idempotent. */
  async kill(): Promise<void> {
    await this.#end('dead');
    await this.#work.close();
    // What it was about to open at that moment.
    for (const host of this.#machine.hosts) await host.drop();
  }

  /** Ends the process as libxl does (SIGHUP): libusb gives the devices back. What it wrote stays. Idempotent. */
  async exit(): Promise<void> {
    await this.#work.idle();
    await this.#end('clean');
    await this.#work.close();
  }

  /** Calls `listener` once when the process is gone; returns a function that cancels that. */
  onEnd(listener: () => void): () => void {
    this.#ends.add(listener);
    return () => this.#ends.delete(listener);
  }

  #access(): UsbAccess {
    return { usb: this.#usb, mayOpen: (busid) => !this.#refused.has(busid), log: this.log };
  }

  async #end(how: 'clean' | 'dead'): Promise<void> {
    if (!this.#alive) return;
    this.#alive = false;
    this.#stopListening();
    if (how === 'clean') this.#qmp.event('SHUTDOWN', { guest: false, reason: 'host-signal' });
    this.#qmp.shut();
    for (const listener of [...this.#ends]) listener();
    // Not awaited: this may itself be a piece of that work.
    void this.#work.close();
    for (const host of this.#machine.hosts) await (how === 'clean' ? host.close() : host.drop());
  }

  #controller(devid: string): QusbController {
    const known = this.#controllers.get(devid);
    if (known) return known;
    const controller = new QusbController(`${this.#backends}/${devid}`, devid, {
      store: this.#store,
      work: this.#work,
      access: this.#access(),
      added: (host) => this.#added(host),
      removed: (host) => void this.#machine.backends.delete(host.id),
      alive: () => this.#alive,
    });
    this.#controllers.set(devid, controller);
    this.#machine.backends.set(controller.id, undefined);
    return controller;
  }

  async #changed(path: string): Promise<void> {
    const told = path.slice(this.#backends.length + 1).split('/')[0];
    // An event for a parent may stand for a whole subtree that appeared or disappeared.
    const present = (await this.#store.directory(this.#backends)) ?? [];
    for (const devid of told ? [told] : new Set([...present, ...this.#controllers.keys()])) {
      if (!this.#alive) return;
      if (!present.includes(devid) && !this.#controllers.has(devid)) continue;
      if (this.version.qemu.major >= 10 && !this.#controllers.has(devid)) {
        this.log.push(NO_HOTPLUG);
        return this.#end('dead');
      }
      const controller = this.#controller(devid);
      if (!(await controller.changed())) continue;
      this.#controllers.delete(devid);
      this.#machine.backends.delete(controller.id);
    }
  }

  /** QEMU names the migration state of a device only by its port: the same port twice kills it. */
  async #added(host: UsbHost): Promise<boolean> {
    const same = [...this.#machine.backends.values()].some((other) => other?.port === host.port);
    this.#machine.backends.set(host.id, host);
    if (!same) return true;
    this.log.push(ABORT);
    await this.#end('dead');
    return false;
  }

  #usbChanged(change: KernelChange): void {
    if (change.kind === 'unplug') {
      for (const host of this.#machine.hosts) if (host.busid === change.busid) host.vanished();
    }
    if (change.kind === 'plug') this.#work.add(() => this.#scan(change.busid));
  }

  /**
   * Takes what was plugged into a socket that a port names. A guest is not told about it by a qusb port: nobody claims
   * it (recorded).
   */
  async #scan(busid: string): Promise<void> {
    for (const host of this.#machine.hosts) {
      if (!('hostport' in host.match) || host.find()?.busid !== busid) continue;
      if ((await host.open()) && !this.#machine.backends.has(host.id)) await host.claim();
    }
  }

  async #run({ execute, arguments: args }: QmpCommand): Promise<unknown> {
    switch (execute) {
      case 'device_add':
        await this.#machine.add(args);
        return {};
      case 'device_del': {
        const eject = await this.#machine.delete(text(args, 'id'));
        if (eject && this.guestEjects) this.#work.add(eject);
        return {};
      }
      case 'qom-list': {
        const path = text(args, 'path');
        if (path !== PERIPHERAL) throw new QmpError(`Device '${path}' not found`, 'DeviceNotFound');
        return this.#machine.list();
      }
      case 'qom-get': {
        const path = text(args, 'path');
        const id = path.startsWith(`${PERIPHERAL}/`) ? path.slice(PERIPHERAL.length + 1) : undefined;
        if (id === undefined) throw new QmpError(`Device '${path}' not found`, 'DeviceNotFound');
        return this.#machine.property(id, text(args, 'property'));
      }
      case 'query-version':
        return this.version;
      case 'query-status':
        return { status: 'running', singlestep: false, running: true };
      case 'query-commands':
        return COMMANDS.map((name) => ({ name }));
      default:
        throw new QmpError(`The command ${execute} has not been found`, 'CommandNotFound');
    }
  }
}

const PERIPHERAL = '/machine/peripheral';

const COMMANDS = [
  'qmp_capabilities',
  'device_add',
  'device_del',
  'qom-list',
  'qom-get',
  'query-version',
  'query-status',
  'query-commands',
];
