/** The latest events, by number, so that a listener who was away can go on where it stopped. */
import { randomBytes } from 'node:crypto';
import type { DaemonEvent, EventLog, Numbered } from './service.js';

/** How many are kept: more than a flood of plugs and unplugs makes in a minute. */
const KEPT = 4_000;

/** A log that is written by the daemon alone. */
export class Events implements EventLog {
  /** Numbers begin again with each start of the daemon; this tells them apart. */
  readonly #run = randomBytes(6).toString('hex');
  readonly #kept: Numbered[] = [];
  readonly #listeners = new Set<(numbered: Numbered) => void>();
  #count = 0;

  get lastId(): string {
    return `${this.#run}-${this.#count}`;
  }

  /** Tells everybody. */
  tell(event: DaemonEvent): void {
    this.#count++;
    const numbered = { id: this.lastId, event };
    this.#kept.push(numbered);
    // Now and then, not each time: that would move all of them for every event.
    if (this.#kept.length >= 2 * KEPT) this.#kept.splice(0, this.#kept.length - KEPT);
    for (const hear of this.#listeners) hear(numbered);
  }

  since(id: string): readonly Numbered[] | undefined {
    const [run, number] = id.split('-');
    if (run !== this.#run || !/^\d{1,15}$/.test(number ?? '')) return undefined;
    const missed = this.#count - Number(number);
    if (missed < 0 || missed > this.#kept.length) return undefined;
    return missed === 0 ? [] : this.#kept.slice(-missed);
  }

  listen(hear: (numbered: Numbered) => void): () => void {
    this.#listeners.add(hear);
    return () => this.#listeners.delete(hear);
  }
}
