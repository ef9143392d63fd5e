/** One port of a controller, and the device in it. */
import { ActiveConfiguration, parseSetup } from '../usb/index.js';
import { UsbifStatus } from '../usbif/index.js';
import type { LentDevice, Transfer } from './boundary.js';
import { type ControlAction, decideControl, WITHOUT_DEVICE } from './control.js';
import { ControlQueue } from './control-queue.js';
import { DeviceLock } from './device-lock.js';
import { statusOf } from './errno.js';
import type { Job, Starter } from './exchange.js';
import type { FirewallRule } from './firewall.js';
import type { PortRecord } from './journal.js';
import { BulkInQueue } from './merge.js';
import type { Shown } from './shown.js';
import { Stalls } from './stalls.js';
import { isPrivate } from './tracer.js';
import { bySending, type Urb } from './urb.js';

/** What a port needs from its controller. */
export interface PortOwner {
  readonly rules: readonly FirewallRule[];
  /** Gives URBs to the device of a port, as one transfer. */
  run(port: Starter, urbs: readonly Urb[]): void;
  /** Answers a URB without the device. */
  end(urb: Urb, status: UsbifStatus, bytes?: Uint8Array): void;
  /** How the guest sees the port has changed. */
  changed(port: Port): void;
  /** There is work that nothing from outside will start. */
  wake(): void;
  /** Whether a guest may have a device reset now. */
  mayReset(): boolean;
  /** Whether a device can have an address: no other has it. */
  mayAddress(port: Port, address: number): boolean;
  /** A rule has stalled something. `line` says what, when that is new. */
  stalled(port: Port, line: string | undefined): void;
}

/** A port with a device, from plug to unplug. */
export class Port implements Starter {
  /** Its number, 1 to 31. */
  readonly number: number;
  readonly device: LentDevice;
  readonly shown: Shown;
  readonly active: ActiveConfiguration;
  /** Its transfers that the device has. */
  readonly running = new Map<Transfer, Job>();
  /** The address that the guest gave to the device. */
  address = 0;
  readonly #owner: PortOwner;
  readonly #queues = new Map<number, BulkInQueue>();
  #hostConfiguration: number;
  #isHostTouched = false;
  readonly #stalls: Stalls;
  readonly #controls = new ControlQueue({
    mayBegin: () => !this.#lock.isHeld && !this.#isClosed,
    begin: (urb) => this.#control(urb),
  });
  #waiting: Urb[] = [];
  #toCancel: Transfer[] = [];
  readonly #lock = new DeviceLock(() => this.#unlocked());
  #isClosed = false;

  constructor(number: number, device: LentDevice, shown: Shown, owner: PortOwner) {
    this.number = number;
    this.device = device;
    this.shown = shown;
    this.#owner = owner;
    this.#hostConfiguration = device.configuration;
    this.#stalls = new Stalls(owner.rules, shown.descriptors);
    // The guest configures it itself, from the state after a reset.
    this.active = new ActiveConfiguration(shown.descriptors, 0);
  }

  /** Whether the device must be left alone for now. */
  get isBusy(): boolean {
    return this.#lock.isHeld;
  }

  /** What the next backend has to know. */
  get record(): PortRecord {
    return {
      speed: this.shown.speed,
      address: this.address,
      configuration: this.active.value,
      settings: this.active.settings,
      fingerprint: this.shown.fingerprint,
    };
  }

  /** Puts the device into the state that an earlier backend left for the guest. */
  restore({ address, configuration, settings }: PortRecord): void {
    this.address = address;
    this.active.configure(configuration);
    const wanted = [...settings].filter(([number, setting]) => this.active.hasSetting(number, setting));
    for (const [number, setting] of wanted) this.active.select(number, setting);
    this.#isHostTouched = wanted.length > 0;
    const mustConfigure = configuration !== 0 && configuration !== this.#hostConfiguration;
    if (!mustConfigure && wanted.length === 0) return;
    this.#onHost(async () => {
      if (mustConfigure) await this.device.setConfiguration(configuration);
      for (const [number, setting] of wanted) await this.device.setInterface(number, setting);
      this.#hostConfiguration = configuration;
    });
  }

  /** Starts a URB, or puts it behind what the device is busy with. */
  start(urb: Urb): void {
    if (this.#isClosed) this.#owner.end(urb, UsbifStatus.shutdown);
    else if (this.#lock.isHeld) this.#waiting.push(urb);
    else if (urb.request.kind === 'control') this.#controls.add(urb);
    else this.#data(urb);
  }

  #data(urb: Urb): void {
    const { request, input } = urb;
    const address = request.endpoint | (input ? 0x80 : 0);
    const endpoint = this.active.endpoint(address);
    if (endpoint?.kind !== request.kind) {
      this.#owner.end(urb, UsbifStatus.invalid);
      return;
    }
    const reason = this.#stalls.ofEndpoint(address, this.active.interfaces);
    if (reason !== undefined) {
      this.#owner.stalled(this, this.#stalls.line(address, reason));
      this.#owner.end(urb, UsbifStatus.stall);
      return;
    }
    urb.isPrivate = isPrivate(this.active.settingOf(address)!);
    if (request.kind !== 'bulk' || !input) {
      this.#owner.run(this, [urb]);
      return;
    }
    const queue = this.#queues.get(address) ?? new BulkInQueue(endpoint.packetBytes);
    this.#queues.set(address, queue);
    queue.add(urb);
  }

  /** Starts what waits for its turn: control requests, and the runs of bulk IN URBs that have come together. */
  startRuns(): void {
    if (this.#lock.isHeld || this.#isClosed) return;
    this.#controls.next();
    for (const queue of this.#queues.values()) {
      for (let run = queue.next(); run; run = queue.next()) this.#owner.run(this, run);
    }
  }

  /** The device has a transfer. Its end may be wanted already. */
  began(job: Job): void {
    this.running.set(job.transfer, job);
    if (this.#isClosed || job.urbs.some(({ isUnlinked }) => isUnlinked)) this.#cancel(job.transfer);
  }

  /** A transfer has ended; see {@link BulkInQueue.ended}. */
  ended(urbs: readonly Urb[], again: readonly Urb[], isBroken: boolean): void {
    const [first] = urbs;
    if (first?.request.kind !== 'bulk' || !first.input) return;
    const queue = this.#queues.get(first.request.endpoint | 0x80);
    for (const urb of again) urb.state = 'waiting';
    for (const urb of queue?.ended(urbs, again, isBroken) ?? []) this.#endWaiting(urb);
  }

  /** URBs of one transfer did not get their turn; `wanted` of them are still to be started. */
  postponed(urbs: readonly Urb[], wanted: readonly Urb[]): void {
    const [first] = urbs;
    if (first?.request.kind === 'bulk' && first.input) this.ended(urbs, wanted, false);
    else if (first?.request.kind === 'control') for (const urb of wanted) this.#controls.again(urb);
    else for (const urb of wanted) this.start(urb);
  }

  /** Ends a URB early, because the guest wants it to end. */
  unlink(urb: Urb): void {
    urb.isUnlinked = true;
    if (urb.state === 'waiting') this.#endWaiting(urb);
    for (const [transfer, { urbs }] of this.running) if (urbs.includes(urb)) this.#cancel(transfer);
  }

  #cancel(transfer: Transfer): void {
    if (this.#lock.isHeld) this.#toCancel.push(transfer);
    else this.device.cancel(transfer);
  }

  /** Starts nothing any more, and cancels what the device has. */
  close(): void {
    this.#isClosed = true;
    for (const transfer of this.running.keys()) this.#cancel(transfer);
  }

  #endWaiting(urb: Urb): void {
    if (urb.state === 'waiting') this.#owner.end(urb, UsbifStatus.shutdown);
  }

  #control(urb: Urb): void {
    if (urb.request.kind !== 'control') return;
    const setup = parseSetup(urb.request.setup);
    if (urb.request.endpoint !== 0) {
      this.#owner.end(urb, UsbifStatus.invalid);
      return;
    }
    urb.isPrivate =
      setup.kind !== 'standard' &&
      this.active.interfaces.some((one) => isPrivate(one) && one.interface === (setup.index & 0xff));
    const { address, active, shown } = this;
    const [hostConfiguration, isHostTouched] = [this.#hostConfiguration, this.#isHostTouched];
    const host = { hostConfiguration, isHostTouched, rules: this.#owner.rules };
    const action = decideControl({ address, sentTo: urb.request.address, active, ...shown, ...host }, setup);
    if (action.do === 'stall' && action.reason !== undefined) {
      this.#owner.stalled(this, this.#stalls.line(setup, action.reason));
    }
    this.#act(urb, action);
  }

  #act(urb: Urb, action: ControlAction): void {
    const owner = this.#owner;
    switch (action.do) {
      case 'pass':
        owner.run(this, [urb]);
        return;
      case 'refuse':
      case 'stall':
      case 'accept':
        owner.end(urb, WITHOUT_DEVICE[action.do]);
        return;
      case 'reply':
        owner.end(urb, UsbifStatus.ok, action.bytes);
        return;
      case 'address':
        if (owner.mayAddress(this, action.address)) {
          this.address = action.address;
          owner.changed(this);
          owner.end(urb, UsbifStatus.ok);
        } else owner.end(urb, UsbifStatus.stall);
        return;
      case 'reset':
        this.#reset(urb);
        return;
      case 'configure':
        this.#configure(urb, action.value, action.onHost);
        return;
      case 'select':
        this.#onHost(async () => {
          const errno = await this.device.setInterface(action.interface, action.setting);
          if (errno === 0) {
            this.active.select(action.interface, action.setting);
            this.#stalls.configured();
            if (action.setting !== 0) this.#isHostTouched = true;
          }
          return errno;
        }, urb);
        return;
      case 'clear-halt':
        this.#onHost(() => this.device.clearHalt(action.endpoint), urb);
        return;
    }
  }

  /** The guest has reset its port: so is the device, and then the guest gets its answer. */
  #reset(urb: Urb): void {
    this.address = 0;
    this.#owner.changed(this);
    if (!this.#owner.mayReset()) {
      this.#control(urb);
      return;
    }
    this.#controls.again(urb);
    this.#onHost(() => this.device.reset());
  }

  #configure(urb: Urb, value: number, onHost: boolean): void {
    for (const queue of this.#queues.values()) for (const one of queue.drain()) this.#endWaiting(one);
    this.#onHost(async () => {
      const errno = onHost ? await this.device.setConfiguration(value) : 0;
      if (errno !== 0) return errno;
      if (onHost) [this.#hostConfiguration, this.#isHostTouched] = [value, false];
      this.active.configure(value);
      this.#stalls.configured();
      this.#queues.clear();
      return 0;
    }, urb);
  }

  /** Does something that locks the device, and then answers `urb`. */
  #onHost(work: () => Promise<number | undefined>, urb?: Urb): void {
    if (urb) urb.state = 'running';
    this.#lock.hold(work, (errno) => {
      if (urb) this.#owner.end(urb, statusOf(errno));
      if (!this.#isClosed) this.#owner.changed(this);
    });
  }

  #unlocked(): void {
    for (const transfer of this.#toCancel.splice(0)) {
      if (this.running.has(transfer)) this.#cancel(transfer);
    }
    this.#controls.next();
    const waiting = this.#waiting.splice(0).sort(bySending);
    for (const urb of waiting) if (urb.state === 'waiting') this.start(urb);
    this.#owner.wake();
  }
}
