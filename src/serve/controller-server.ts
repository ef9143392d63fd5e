/** One controller, from its backend directory to the guest: the backend's half of the xenbus handshake. */
import { Allowance, LINES } from '../backend/allowance.js';
import { Controller } from '../backend/controller.js';
import { Journal } from '../backend/journal.js';
import { XenbusState } from '../pvusb/model/inventory.js';
import {
  backendPath,
  frontendPath,
  type PortState,
  parseNumber,
  portReasonPath,
  portStatePath,
} from '../pvusb/model/layout.js';
import type { Watch } from '../xenstore/index.js';
import type { Rings } from './machine.js';
import { messageOf, PortServer } from './port-server.js';
import type { Shared } from './shared.js';
import { readWanted } from './wanted.js';

/** A guest that comes and goes in a hurry is connected at most so often. */
const CONNECTS_AT_ONCE = 5;
const CONNECT_EACH_MS = 1000;

/**
 * Follows one controller. {@link ControllerServer.look} is called whenever something of it may have changed; looks
 * never overlap, and one that is asked for meanwhile follows.
 */
export class ControllerServer {
  readonly domid: number;
  readonly devid: number;
  readonly #shared: Shared;
  readonly #path: string;
  readonly #ports = new Map<number, PortServer>();
  #controller: Controller | undefined;
  #state: number = XenbusState.unknown;
  #portCount = 0;
  #version = 2;
  #connects: number[] = [];
  readonly #lines: Allowance;
  #isLookDue = false;
  #frontendWatch: Watch | undefined;
  #isDue = false;
  #isPlugged = false;
  #looking: Promise<void> | undefined;
  #isGone = false;
  #isDead = false;

  constructor(shared: Shared, domid: number, devid: number) {
    this.#shared = shared;
    this.#lines = new Allowance(shared.clock, LINES);
    this.domid = domid;
    this.devid = devid;
    this.#path = backendPath({ domid, devid }, 'vusb');
  }

  /** Its directory is gone, and everything given back. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** The engine, while the guest is connected. */
  get engine(): Controller | undefined {
    return this.#controller;
  }

  /**
   * Looks at everything that may have changed.
   *
   * @param plugged something was plugged into the host, or pulled out
   */
  look(plugged = false): Promise<void> {
    this.#isDue = true;
    this.#isPlugged ||= plugged;
    this.#looking ??= this.#lookOften().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookOften(): Promise<void> {
    while (this.#isDue && !this.#isGone) {
      this.#isDue = false;
      try {
        await this.#lookOnce();
      } catch (error) {
        if (!this.#shared.client.closed) this.#log(messageOf(error));
      }
    }
  }

  async #lookOnce(): Promise<void> {
    const { client } = this.#shared;
    const frontend = frontendPath(this);
    const [state, online, type, ports, version, frontendState] = await client.readMany([
      ...['state', 'online', 'type', 'num-ports', 'usb-ver'].map((key) => `${this.#path}/${key}`),
      `${frontend}/state`,
    ]);
    if (state === undefined) return this.#end();
    if (type !== 'pv') return;
    this.#portCount = Math.min(parseNumber(ports) ?? 0, 31);
    this.#version = parseNumber(version) ?? 2;
    this.#frontendWatch ??= await this.#watchFrontend(`${frontend}/state`);
    if (this.#state === XenbusState.unknown) this.#state = parseNumber(state) ?? XenbusState.unknown;
    if (this.#state === XenbusState.initialising) await this.#switch(XenbusState.initWait);
    await this.#followFrontend(parseNumber(frontendState) ?? XenbusState.unknown, online === '1');
    if (this.#isGone) return;
    await this.#followPorts();
  }

  async #watchFrontend(path: string): Promise<Watch> {
    const watch = await this.#shared.client.watch(path);
    void (async () => {
      try {
        for await (const _ of watch) void this.look();
      } catch {
        // The connection is lost: whoever opened it knows.
      }
    })();
    return watch;
  }

  /** `otherend_changed` of a backend driver. */
  async #followFrontend(frontend: number, isOnline: boolean): Promise<void> {
    switch (frontend) {
      case XenbusState.initialising:
        // The guest starts (again). One that never connected has nothing to close.
        if (this.#state === XenbusState.closed && isOnline) await this.#switch(XenbusState.initWait);
        else if (!isOnline) await this.#disconnect(XenbusState.closed);
        return;
      case XenbusState.initialised:
      case XenbusState.connected:
        if (!this.#controller && isOnline && !this.#isDead && this.#state < XenbusState.closing)
          await this.#connect();
        return;
      case XenbusState.closing:
        if (this.#state < XenbusState.closing) await this.#switch(XenbusState.closing);
        return;
      default:
        if (this.#state !== XenbusState.closed) await this.#disconnect(XenbusState.closed);
    }
  }

  /** Reads once what the guest has written: what it writes later means nothing. */
  async #connect(): Promise<void> {
    const { client, clock } = this.#shared;
    const nowMs = clock.nowMs();
    this.#connects = this.#connects.filter((atMs) => nowMs - atMs < CONNECTS_AT_ONCE * CONNECT_EACH_MS);
    if (this.#connects.length >= CONNECTS_AT_ONCE) {
      this.#lookLater(this.#connects[0]! + CONNECTS_AT_ONCE * CONNECT_EACH_MS - nowMs);
      return;
    }
    this.#connects.push(nowMs);
    const frontend = frontendPath(this);
    const keys = ['urb-ring-ref', 'conn-ring-ref', 'event-channel'];
    const untrusted = await client.readMany(keys.map((key) => `${frontend}/${key}`));
    const [urbRef, connectionRef, eventChannel] = untrusted.map(parseNumber);
    if (urbRef === undefined || connectionRef === undefined || eventChannel === undefined) {
      this.#logOfGuest('the guest speaks another protocol: it has no PVUSB rings');
      return;
    }
    const rings = { urbRef, connectionRef, eventChannel };
    const wasConnected = this.#state === XenbusState.connected;
    try {
      this.#open(rings, wasConnected);
    } catch (error) {
      this.#logOfGuest(`the guest cannot be connected: ${messageOf(error)}`);
      await this.#switch(XenbusState.closing);
      return;
    }
    if (!wasConnected) await this.#switch(XenbusState.connected);
    for (const port of this.#ports.values()) await port.connected();
  }

  /** The guest that waits for its answer does nothing by which it would be noticed. */
  #lookLater(ms: number): void {
    if (this.#isLookDue) return;
    this.#isLookDue = true;
    this.#logOfGuest('the guest reconnects too often: it has to wait');
    void this.#shared.clock.sleep(ms).then(() => {
      this.#isLookDue = false;
      return this.look();
    });
  }

  #open(rings: Rings, wasConnected: boolean): void {
    const { machine, blocks, budget, rules, clock, tracer } = this.#shared;
    const { domid, devid } = this;
    const journal = new Journal(machine.journal(domid, devid));
    const isLeft = wasConnected && journal.isOf(rings);
    if (wasConnected && !isLeft) throw new Error('what an earlier backend had open is not known');
    const { memory, channel } = machine.openGuest(domid, rings);
    if (!isLeft) journal.begin(rings);
    const controller = new Controller({
      ...{ domid, portCount: this.#portCount, version: this.#version, memory, channel, journal },
      ...{ blocks, budget, rules, clock, tracer: tracer(domid) },
      listener: {
        broken: (reason) => {
          this.#logOfGuest(`the guest is disconnected: ${reason}`);
          this.#disconnect(XenbusState.closing).catch((error: unknown) => this.#log(messageOf(error)));
        },
        portChanged: (port, progress) => this.#ports.get(port)?.progressed(progress),
        log: (message) => this.#logOfGuest(message),
      },
    });
    this.#controller = controller;
    if (isLeft) {
      this.#log('taken over');
      controller.takeOver();
    } else controller.start();
  }

  async #followPorts(): Promise<void> {
    const again = this.#isPlugged;
    this.#isPlugged = false;
    const ports = await readWanted(this.#shared, this, this.#portCount);
    for (const [at, wanted] of ports.entries()) {
      const number = at + 1;
      const known = this.#ports.get(number);
      if (!known && wanted.name === '') {
        // What an earlier backend had there has left it since.
        this.#controller?.empty(number);
        continue;
      }
      const port =
        known ??
        new PortServer({
          ...this.#shared,
          number,
          controller: () => this.#controller,
          show: (state, reason) => this.#showPort(number, state, reason),
          log: (message) => this.#log(message),
        });
      this.#ports.set(number, port);
      void port.follow(wanted, again);
    }
  }

  async #showPort(number: number, state: PortState | '', reason: string): Promise<void> {
    await this.#shared.client.transaction(async (view) => {
      // Not into a directory that is being removed.
      if ((await view.read(`${this.#path}/state`)) === undefined) return;
      if (state === '') {
        for (const pathOf of [portStatePath, portReasonPath]) await view.rm(pathOf(this.#path, number));
        return;
      }
      await view.write(portReasonPath(this.#path, number), reason);
      await view.write(portStatePath(this.#path, number), String(state));
    });
  }

  /** Ends the connection to the guest; its devices stay open. */
  async #disconnect(state: number): Promise<void> {
    await this.#letGo();
    await this.#switch(state);
  }

  async #letGo(): Promise<void> {
    const controller = this.#controller;
    this.#controller = undefined;
    await controller?.close();
  }

  async #switch(state: number): Promise<void> {
    if (this.#state === state) return;
    this.#state = state;
    const path = `${this.#path}/state`;
    await this.#shared.client.transaction(async (view) => {
      if ((await view.read(path)) !== undefined) await view.write(path, String(state));
    });
  }

  /** The directory is gone, or the domain: everything is given back. */
  async #end(): Promise<void> {
    this.#isGone = true;
    await Promise.all([...this.#ports.values()].map((port) => port.close()));
    await this.#letGo();
    await this.#frontendWatch?.close();
    this.#shared.machine.forget(this.domid, this.devid);
  }

  /** The domain has died: its memory must be let go of at once, or it stays a zombie. */
  async domainDied(): Promise<void> {
    this.#isDead = true;
    await this.#letGo();
  }

  /** What a guest causes: it fills no log. */
  #logOfGuest(message: string): void {
    if (this.#lines.take()) this.#log(message);
  }

  #log(message: string): void {
    this.#shared.log(`controller ${this.devid} of domain ${this.domid}: ${message}`);
  }
}
