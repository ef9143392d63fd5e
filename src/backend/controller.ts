/** One virtual USB controller while its guest is connected: the engine of the backend. */
import { loop } from '../async/index.js';
import { BackRing, URB_RING, UsbifSpeed, UsbifStatus } from '../usbif/index.js';
import { Allowance, RESETS } from './allowance.js';
import type { LentDevice } from './boundary.js';
import { Connections } from './connections.js';
import type { ControllerParts } from './controller-parts.js';
import type { Starter } from './exchange.js';
import type { FirewallRule } from './firewall.js';
import { EMPTY_PORT } from './journal.js';
import { newCounters } from './metrics.js';
import { Port, type PortOwner } from './port.js';
import { type RequestHandler, Requests } from './requests.js';
import { showDevice } from './shown.js';
import { Transfers } from './transfers.js';
import type { Urb } from './urb.js';

/**
 * Serves one controller while its guest is connected. Call {@link Controller.start} or {@link Controller.takeOver}
 * once, then {@link Controller.plug} and {@link Controller.unplug}; {@link Controller.close} when the guest is done.
 */
export class Controller implements PortOwner, RequestHandler {
  /** What it has done. */
  readonly counters = newCounters();
  readonly rules: readonly FirewallRule[];
  readonly #parts: ControllerParts;
  readonly #transfers: Transfers;
  readonly #ports = new Map<number, Port>();
  readonly #resets: Allowance;
  #requests: Requests;
  #connections: Connections;
  #isBroken = false;
  #isClosed = false;
  #isSettling = false;
  #isWoken = false;
  #onQuiet: (() => void)[] = [];

  constructor(parts: ControllerParts) {
    this.#parts = parts;
    this.rules = parts.rules;
    this.#transfers = new Transfers({ ...parts, counters: this.counters, wake: () => this.wake() });
    this.#resets = new Allowance(parts.clock, RESETS);
    this.#requests = this.#requestsOf(new BackRing(parts.memory.urbRing, URB_RING), []);
    this.#connections = new Connections(parts.memory.connectionRing);
  }

  #requestsOf(ring: BackRing, takenSlots: readonly number[]): Requests {
    const { journal, portCount } = this.#parts;
    return new Requests({ ring, journal, portCount, counters: this.counters, handler: this, takenSlots });
  }

  /** Begins with the rings of a guest that has just connected. */
  start(): void {
    this.#parts.channel.start(() => this.#onEvent());
    this.#onEvent();
  }

  /**
   * Takes the rings over from a backend that was killed. What it had not answered ends with an error that drivers try
   * again after; devices that are given back with {@link plug} are as the guest left them.
   */
  takeOver(): void {
    const { memory, journal } = this.#parts;
    const left = journal.left(BackRing.responseProducerOf(memory.urbRing));
    if (!left) {
      this.broken('its ring shows answers that were never given');
      return;
    }
    const ring = new BackRing(memory.urbRing, URB_RING, left.responseProducer, left.open.length);
    this.#requests = this.#requestsOf(
      ring,
      left.open.map(({ slot }) => slot),
    );
    const shown = BackRing.responseProducerOf(memory.connectionRing);
    this.#connections = new Connections(memory.connectionRing, shown);
    for (const { slot, id } of left.open) this.#requests.answer(slot, id, UsbifStatus.ioError);
    // The guest's last notification may have gone to the process that died.
    this.start();
  }

  /** The ports that have devices. */
  get ports(): ReadonlyMap<number, Port> {
    return this.#ports;
  }

  /**
   * Puts a device into a port and tells the guest.
   *
   * @returns why it cannot be; undefined when it is done
   */
  plug(number: number, device: LentDevice): string | undefined {
    if (this.#ports.has(number)) return `port ${number} has a device`;
    const shown = showDevice(device);
    if (!shown) return 'the device has no descriptors that can be read';
    if (this.#parts.version < 2 && shown.speed === UsbifSpeed.high) {
      return 'a controller of version 1 has no high-speed devices';
    }
    const port = new Port(number, device, shown, this);
    this.#ports.set(number, port);
    device.start({ ready: () => this.wake(), gone: () => this.#lost(port) });
    this.counters.plugs++;
    const left = this.#parts.journal.port(number);
    if (left.speed !== UsbifSpeed.none && left.fingerprint === shown.fingerprint) port.restore(left);
    else {
      // The guest notices a change of speed, and nothing else.
      if (left.speed !== UsbifSpeed.none) this.#connections.tell(number, UsbifSpeed.none);
      this.#connections.tell(number, shown.speed);
    }
    this.changed(port);
    this.#settle();
    return undefined;
  }

  /** Takes the device out of a port and tells the guest. It can be closed when this resolves. */
  async unplug(number: number): Promise<void> {
    const port = this.#ports.get(number);
    if (port) {
      this.#endAll(port);
      await this.#quiet(port);
      this.#ports.delete(number);
    }
    this.empty(number);
  }

  /** Nothing is in a port (any more): a guest that was told something else hears of it. */
  empty(number: number): void {
    const { journal, listener } = this.#parts;
    if (journal.port(number).speed === UsbifSpeed.none || this.#ports.has(number)) return;
    journal.setPort(number, EMPTY_PORT);
    this.#connections.tell(number, UsbifSpeed.none);
    this.counters.unplugs++;
    listener.portChanged(number, undefined);
    this.#settle();
  }

  /** Ends all transfers, and lets go of the guest's memory. The devices stay open. */
  async close(): Promise<void> {
    const ports = [...this.#ports.values()];
    for (const port of ports) this.#endAll(port);
    await Promise.all(ports.map((port) => this.#quiet(port)));
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { channel, memory, journal } = this.#parts;
    journal.end();
    channel.close();
    memory.close();
  }

  #endAll(port: Port): void {
    port.close();
    for (const urb of this.#requests.open) {
      if (urb.port === port.number && urb.state === 'waiting') this.end(urb, UsbifStatus.shutdown);
    }
    this.#settle();
  }

  /** Resolves when a device has none of our transfers any more. */
  async #quiet(port: Port): Promise<void> {
    while (port.running.size > 0 || port.isBusy) {
      await new Promise<void>((resolve) => this.#onQuiet.push(resolve));
    }
  }

  #lost(port: Port): void {
    if (this.#ports.get(port.number) !== port) return;
    this.#endAll(port);
    this.#transfers.abandon(port);
    // A call that is in it ends first: whoever hears that it is gone closes it.
    if (port.isBusy) void this.#quiet(port).then(() => this.#forget(port));
    else this.#forget(port);
  }

  #forget(port: Port): void {
    if (this.#ports.get(port.number) !== port) return;
    this.#ports.delete(port.number);
    // Its URBs are answered before the guest hears that it is gone.
    this.#settle();
    this.empty(port.number);
  }

  #onEvent(): void {
    if (this.#isClosed || this.#isBroken) return;
    this.counters.events++;
    this.#guarded(() => this.#requests.take());
    this.#settle();
  }

  /** A fault of ours that one guest has found must not end what serves the others. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.broken(`a fault of the backend: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }

  later(): void {
    loop.soon(() => this.#onEvent());
  }

  begin(urb: Urb): void {
    const { request } = urb;
    const port = request.address === 0 ? this.#ports.get(request.port) : this.#at(request.address);
    if (port) {
      urb.port = port.number;
      port.start(urb);
    } else this.end(urb, UsbifStatus.shutdown);
  }

  /** An addressed device is found by its address alone: the port may be that of a hub. */
  #at(address: number): Port | undefined {
    for (const port of this.#ports.values()) if (port.address === address) return port;
    return undefined;
  }

  unlink(urb: Urb): void {
    this.#ports.get(urb.port)?.unlink(urb);
  }

  broken(reason: string): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#parts.listener.broken(reason);
  }

  log(message: string): void {
    this.#parts.listener.log(message);
  }

  run(port: Starter, urbs: readonly Urb[]): void {
    this.#transfers.run(port, urbs);
  }

  end(urb: Urb, status: UsbifStatus, bytes?: Uint8Array): void {
    this.#transfers.end(urb, status, bytes);
  }

  changed(port: Port): void {
    this.#parts.journal.setPort(port.number, port.record);
    this.#parts.listener.portChanged(port.number, port.active.value === 0 ? 'opened' : 'configured');
  }

  mayReset(): boolean {
    if (!this.#resets.take()) return false;
    this.counters.resets++;
    return true;
  }

  mayAddress(port: Port, address: number): boolean {
    return address === 0 || (this.#at(address) ?? port) === port;
  }

  stalled(port: Port, line: string | undefined): void {
    this.counters.stalled++;
    if (line !== undefined) this.log(`port ${port.number}: ${line}`);
  }

  wake(): void {
    if (this.#isSettling) this.#isWoken = true;
    else this.#settle();
  }

  /** Does all that can be done now, and shows the guest the outcome at once. */
  #settle(): void {
    if (this.#isSettling || this.#isClosed) return;
    this.#isSettling = true;
    this.#guarded(() => this.#settleAll());
    this.#isSettling = false;
    for (const resolve of this.#onQuiet.splice(0)) resolve();
  }

  #settleAll(): void {
    do {
      this.#isWoken = false;
      for (const port of this.#ports.values()) {
        this.#transfers.reap(port);
        port.startRuns();
      }
      this.#transfers.submit();
      this.#transfers.deliver((result) => this.#requests.finish(result));
      this.#requests.finishUnlinks();
      if (this.#isWoken || this.#transfers.hasWork) continue;
      this.#show();
      if (this.#requests.isStarved && !this.#isBroken) {
        this.#requests.take();
        this.#isWoken = true;
      }
    } while (this.#isWoken || this.#transfers.hasWork);
  }

  #show(): void {
    if (this.#isBroken) return;
    const isUrbNews = this.#requests.show();
    const isPortNews = this.#connections.show();
    if (isPortNews === undefined) this.broken('its ring of connection events has an impossible index');
    if (!isUrbNews && !isPortNews) return;
    this.counters.notifications++;
    this.#parts.channel.notify();
  }
}
