/** The in-kernel PVUSB backend of dom0, as seen from xenstore: the xenbus handshake, and which devices are wanted. */

import { type Actor, type ActorStore, readState, Work, writeExisting } from './actor.js';
import { XenbusState } from './xenbus.js';

const BACKENDS = '/local/domain/0/backend/vusb';

/**
 * How a backend behaves: `prompt` like the real one; `never` sees everything and writes no state; `slow` holds back
 * each state until {@link SimUsbback.proceed}.
 */
export type Manner = 'prompt' | 'never' | 'slow';

interface Backend {
  readonly path: string;
  readonly frontend: string;
  /** What the driver believes its state to be, which is not what someone else wrote into the node. */
  state: number;
  unwatch?: () => Promise<void>;
}

/**
 * The backend driver. Rules: Linux's `xenbus_probe.c`, `xenbus_probe_backend.c` and the `otherend_changed` of a backend
 * driver that only shakes hands.
 */
export class SimUsbback implements Actor {
  readonly #store: ActorStore;
  readonly #work: Work;
  readonly #backends = new Map<string, Backend>();
  #held: (() => Promise<void>)[] = [];

  /** How it behaves from here on. */
  manner: Manner;

  private constructor(store: ActorStore, manner: Manner, asFound: boolean) {
    this.#store = store;
    this.#work = new Work(store, asFound);
    this.manner = manner;
  }

  /** Loads the driver on dom0's view of a store. Existing backends, in any state, are taken over. */
  static async start(
    store: ActorStore,
    options: { readonly manner?: Manner; readonly asFound?: boolean } = {},
  ): Promise<SimUsbback> {
    const usbback = new SimUsbback(store, options.manner ?? 'prompt', options.asFound ?? false);
    await usbback.#adopt();
    await usbback.#work.watch(BACKENDS, (path) => usbback.#changed(path));
    usbback.#work.started();
    return usbback;
  }

  get workDone(): number {
    return this.#work.done;
  }

  idle(): Promise<void> {
    return this.#work.idle();
  }

  async close(): Promise<void> {
    await this.#work.close();
    this.#backends.clear();
  }

  /** Lets a slow backend write the states it has held back. */
  async proceed(): Promise<void> {
    const held = this.#held;
    this.#held = [];
    for (const write of held) this.#work.add(write);
    await this.idle();
  }

  /** True when the device is in a port node of some controller: what usbback's probe asks. */
  async wanted(busid: string): Promise<boolean> {
    for (const path of await this.#paths()) {
      for (const port of (await this.#store.directory(`${path}/port`)) ?? []) {
        if ((await this.#store.read(`${path}/port/${port}`)) === busid) return true;
      }
    }
    return false;
  }

  async #paths(): Promise<string[]> {
    const paths: string[] = [];
    for (const domid of (await this.#store.directory(BACKENDS)) ?? []) {
      const devids = (await this.#store.directory(`${BACKENDS}/${domid}`)) ?? [];
      paths.push(...devids.map((devid) => `${BACKENDS}/${domid}/${devid}`));
    }
    return paths;
  }

  async #adopt(): Promise<void> {
    for (const path of await this.#paths()) {
      const state = await readState(this.#store, path);
      if (state > XenbusState.initialising && state < XenbusState.closed) await this.#probe(path, state);
    }
  }

  /** `xenbus_dev_changed`: a backend appeared, disappeared, or changed inside (which is the toolstack's business). */
  async #changed(path: string): Promise<void> {
    const [domid, devid] = path.slice(BACKENDS.length + 1).split('/');
    const told = domid && devid ? [`${BACKENDS}/${domid}/${devid}`] : undefined;
    // An event for a parent may stand for a whole subtree that appeared or disappeared.
    const paths = told ?? [...new Set([...(await this.#paths()), ...this.#backends.keys()])];
    for (const backend of paths) {
      const exists = (await this.#store.read(backend)) !== undefined;
      // A device that is not new is going away (xenbus_probe_node).
      const isNew = exists && (await readState(this.#store, backend)) === XenbusState.initialising;
      const known = this.#backends.get(backend);
      // Removed and recreated before we looked: we have written a higher state (unless told not to) than the node has.
      const written =
        this.manner === 'prompt' && known !== undefined && known.state !== XenbusState.initialising;
      const replaced = written && isNew;
      if (known && replaced) await this.#forget(known);
      if (known && !exists) await this.#remove(known);
      if (isNew && (!known || replaced)) await this.#probe(backend);
    }
  }

  async #probe(path: string, adoptedState?: number): Promise<void> {
    const frontend = await this.#store.read(`${path}/frontend`);
    if (!frontend?.startsWith('/local/domain/')) return;
    const backend: Backend = { path, frontend, state: adoptedState ?? XenbusState.initialising };
    this.#backends.set(path, backend);
    if (adoptedState === undefined) await this.#switch(backend, XenbusState.initWait);
    backend.unwatch = await this.#work.watch(`${frontend}/state`, () => this.#frontendChanged(backend));
  }

  async #frontendChanged(backend: Backend): Promise<void> {
    if (this.#backends.get(backend.path) !== backend) return;
    switch (await readState(this.#store, backend.frontend)) {
      case XenbusState.initialising:
        if (backend.state === XenbusState.closed) await this.#switch(backend, XenbusState.initWait);
        break;
      case XenbusState.initialised:
      case XenbusState.connected:
        await this.#switch(backend, XenbusState.connected);
        break;
      case XenbusState.closing:
        await this.#switch(backend, XenbusState.closing);
        break;
      case XenbusState.closed:
        await this.#switch(backend, XenbusState.closed);
        if ((await this.#store.read(`${backend.path}/online`)) !== '1') await this.#remove(backend);
        break;
      case XenbusState.unknown:
        await this.#remove(backend);
        break;
    }
  }

  /** `xenbus_dev_remove`: the last word of a driver on a device is Closed. */
  async #remove(backend: Backend): Promise<void> {
    await this.#forget(backend);
    await this.#switch(backend, XenbusState.closed);
  }

  async #forget(backend: Backend): Promise<void> {
    this.#backends.delete(backend.path);
    await backend.unwatch?.();
  }

  async #switch(backend: Backend, state: number): Promise<void> {
    if (backend.state === state) return;
    backend.state = state;
    const write = async () => {
      await writeExisting(this.#store, `${backend.path}/state`, String(state));
    };
    if (this.manner === 'prompt') await write();
    if (this.manner === 'slow') this.#held.push(write);
  }
}
