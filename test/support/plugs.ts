/** Reports when devices come and go, on a simulated host. */
import type { SimHost } from '../../src/sim/index.js';

/** Reports when the devices of a simulated host come and go; with `drivers`, also when drivers do, as a kernel's events. */
export class Plugs {
  readonly isComplete: boolean;
  readonly #end: () => void;
  readonly #told = new Set<string>();
  #isClosed = false;
  #wake: () => void = () => undefined;

  constructor(sim: SimHost, { drivers = false }: { readonly drivers?: boolean } = {}) {
    this.isComplete = drivers;
    this.#end = sim.usb.onChange((change) => {
      if (change.kind === 'plug' || change.kind === 'unplug') this.#told.add(change.busid);
      // As on Linux: of a claim through usbfs nothing is told.
      else if (drivers && 'interface' in change && !(change.kind === 'bind' && change.driver === 'usbfs'))
        this.#told.add(change.interface);
      this.#wake();
    });
  }

  async next(): Promise<IteratorResult<readonly string[], undefined>> {
    while (this.#told.size === 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const value = [...this.#told];
    this.#told.clear();
    return this.#isClosed ? { done: true, value: undefined } : { done: false, value };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#end();
    this.#wake();
  }
}
