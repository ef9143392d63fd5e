/** Gathers what is reported about devices until it is asked for. */
import type { Plugs } from './plugs.js';

/** What the reports of one turn are gathered in. */
export class Gathered implements Plugs {
  readonly #names = new Set<string>();
  #isLossy = false;
  #isClosed = false;
  #wake: () => void = () => undefined;
  #hasEnded = false;
  /** Ends what reports; set once it has begun. */
  end: () => void = () => undefined;

  /** An event about this device or interface. */
  stir(name: string): void {
    this.#names.add(name);
    this.#wake();
  }

  get isComplete(): boolean {
    return !this.#hasEnded;
  }

  /** Events were lost; with `forGood`, none come any more. */
  lose(forGood = false): void {
    this.#isLossy = true;
    this.#hasEnded = forGood;
    this.#wake();
  }

  async next(): Promise<IteratorResult<readonly string[], undefined>> {
    while (this.#names.size === 0 && !this.#isLossy && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#isClosed) return { done: true, value: undefined };
    // Nothing by name: everything is to be looked at.
    const value = this.#isLossy ? [] : [...this.#names];
    this.#names.clear();
    this.#isLossy = false;
    return { done: false, value };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.end();
    this.#wake();
  }
}
