/**
 * Ends connections that take too long over something. Node's own limits are looked after by a timer that never rests;
 * here a timer runs only while somebody is connected.
 */
import type { Socket } from 'node:net';

/** One deadline for each connection. */
export class Deadlines {
  readonly #timers = new WeakMap<Socket, NodeJS.Timeout>();

  /** The connection ends unless it is set again, or cleared, within so many milliseconds. */
  set(socket: Socket, withinMs: number): void {
    if (!this.#timers.has(socket)) socket.once('close', () => this.clear(socket));
    clearTimeout(this.#timers.get(socket));
    if (socket.destroyed) return;
    this.#timers.set(
      socket,
      setTimeout(() => socket.destroy(), withinMs),
    );
  }

  /** The connection may take as long as it likes. */
  clear(socket: Socket): void {
    clearTimeout(this.#timers.get(socket));
  }
}
