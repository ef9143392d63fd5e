/** A watch on a host, as the tests use it. */
import { type Host, type WatchEvent, type WatchOptions, watchDomains } from '../../../src/pvusb/index.js';

/** A watch on a host, with what it reports. */
export class Watching implements AsyncDisposable {
  readonly events: WatchEvent[] = [];
  readonly #abort = new AbortController();
  readonly #end: Promise<void>;
  #wake: () => void = () => undefined;

  constructor(host: Host, options: WatchOptions = {}) {
    const onEvent = (event: WatchEvent): void => {
      this.events.push(event);
      this.#wake();
    };
    this.#end = watchDomains(host, { ...options, signal: this.#abort.signal, onEvent });
  }

  /** The first event of this kind, past or future. */
  async until<E extends WatchEvent['event']>(kind: E): Promise<Extract<WatchEvent, { event: E }>> {
    return (await this.times(kind, 1))[0]!;
  }

  /** The events of this kind, as soon as there are so many. */
  async times<E extends WatchEvent['event']>(
    kind: E,
    count: number,
  ): Promise<Extract<WatchEvent, { event: E }>[]> {
    for (;;) {
      const found = this.events.filter(({ event }) => event === kind);
      if (found.length >= count) return found as Extract<WatchEvent, { event: E }>[];
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort(new Error('stopped'));
    await this.#end;
  }
}
