/** A guest of the simulated host: the PVUSB frontend driver (Linux's xen-hcd) as seen from xenstore, or a hostile one. */
import { type Actor, type ActorStore, readState, Work, writeExisting } from './actor.js';
import { misbehave } from './hostile-guest.js';
import { seededRandom } from './random.js';
import { XenbusState } from './xenbus.js';

/** How a guest behaves. */
export interface GuestOptions {
  /** What is already in the store is not an event for it. */
  readonly asFound?: boolean;
  /** False: the guest has no PVUSB driver and never answers. True when absent. */
  readonly driver?: boolean;
  /** A seed makes {@link SimGuest.mischief} do random things. */
  readonly hostile?: number;
}

interface Frontend {
  readonly path: string;
  readonly backend: string;
  state: number;
  unwatch?: () => Promise<void>;
}

const FRONTENDS = 'device/vusb';

/** Linux hands out grant references from 8 on; the recorded guest's first event channel was also 8. */
const FIRST_NUMBER = 8;

/**
 * A guest. Rules: `xenbus_probe_frontend.c` and `drivers/usb/host/xen-hcd.c`: it goes from Initialising to Connected in one
 * step (as recorded: there is no Initialised in between), and from there to Closed when the backend closes.
 */
export class SimGuest implements Actor {
  readonly #store: ActorStore;
  readonly #work: Work;
  readonly #frontends = new Map<string, Frontend>();
  readonly #random: (() => number) | undefined;
  #nextGrant = FIRST_NUMBER;
  #nextChannel = FIRST_NUMBER;

  private constructor(store: ActorStore, options: GuestOptions) {
    this.#store = store;
    this.#work = new Work(store, options.asFound);
    this.#random = options.hostile === undefined ? undefined : seededRandom(options.hostile);
  }

  /** Boots a guest on its own view of a store. Existing controllers are taken over in their current states. */
  static async start(store: ActorStore, options: GuestOptions = {}): Promise<SimGuest> {
    const guest = new SimGuest(store, options);
    if (options.driver === false) return guest;
    for (const path of await guest.#paths()) {
      const state = await readState(store, path);
      if (state > XenbusState.initialising && state < XenbusState.closed) await guest.#probe(path, state);
    }
    await guest.#work.watch(FRONTENDS, (path) => guest.#changed(path));
    guest.#work.started();
    return guest;
  }

  get workDone(): number {
    return this.#work.done;
  }

  idle(): Promise<void> {
    return this.#work.idle();
  }

  async close(): Promise<void> {
    await this.#work.close();
    this.#frontends.clear();
  }

  /** Does one random thing to its own nodes, if it is hostile. Resolves when that is done; refusals are not errors. */
  async mischief(): Promise<void> {
    const random = this.#random;
    if (!random) return;
    this.#work.add(() => misbehave(this.#store, random));
    await this.#work.idle();
  }

  async #paths(): Promise<string[]> {
    return ((await this.#store.directory(FRONTENDS)) ?? []).map((devid) => `${FRONTENDS}/${devid}`);
  }

  async #changed(path: string): Promise<void> {
    const devid = path.slice(path.indexOf(FRONTENDS) + FRONTENDS.length + 1).split('/')[0];
    const paths = devid
      ? [`${FRONTENDS}/${devid}`]
      : [...new Set([...(await this.#paths()), ...this.#frontends.keys()])];
    for (const frontend of paths) {
      const exists = (await this.#store.read(frontend)) !== undefined;
      const isNew = exists && (await readState(this.#store, frontend)) === XenbusState.initialising;
      const known = this.#frontends.get(frontend);
      // Removed and recreated before we looked: only a toolstack resets the state.
      const replaced = known !== undefined && isNew && known.state !== XenbusState.initialising;
      if (known && (!exists || replaced)) await this.#forget(known);
      if (isNew && (!known || replaced)) await this.#probe(frontend);
    }
  }

  async #probe(path: string, adoptedState?: number): Promise<void> {
    const backend = await this.#store.read(`${path}/backend`);
    if (!backend?.startsWith('/local/domain/')) return;
    const frontend: Frontend = { path, backend, state: adoptedState ?? XenbusState.initialising };
    this.#frontends.set(path, frontend);
    frontend.unwatch = await this.#work.watch(`${backend}/state`, () => this.#backendChanged(frontend));
  }

  async #backendChanged(frontend: Frontend): Promise<void> {
    if (this.#frontends.get(frontend.path) !== frontend) return;
    switch (await readState(this.#store, frontend.backend)) {
      case XenbusState.initWait:
      case XenbusState.initialised:
      case XenbusState.connected:
        if (frontend.state === XenbusState.initialising) await this.#connect(frontend);
        break;
      case XenbusState.closing:
      case XenbusState.closed:
        await this.#switch(frontend, XenbusState.closed);
        break;
    }
  }

  async #connect(frontend: Frontend): Promise<void> {
    await this.#store.write(`${frontend.path}/urb-ring-ref`, String(this.#nextGrant++));
    await this.#store.write(`${frontend.path}/conn-ring-ref`, String(this.#nextGrant++));
    await this.#store.write(`${frontend.path}/event-channel`, String(this.#nextChannel++));
    await this.#switch(frontend, XenbusState.connected);
  }

  async #switch(frontend: Frontend, state: number): Promise<void> {
    if (frontend.state === state) return;
    frontend.state = state;
    await writeExisting(this.#store, `${frontend.path}/state`, String(state));
  }

  async #forget(frontend: Frontend): Promise<void> {
    this.#frontends.delete(frontend.path);
    await frontend.unwatch?.();
  }
}
