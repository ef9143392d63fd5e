/** A simulated guest, the engine, and virtual devices, in one process. */
import assert from 'node:assert/strict';
import { systemClock } from '../../src/async/index.js';
import { Blocks, plainMemory } from '../../src/backend/blocks.js';
import type { LentDevice } from '../../src/backend/boundary.js';
import { Budget } from '../../src/backend/budget.js';
import { Controller } from '../../src/backend/controller.js';
import type { ControllerParts, PortProgress } from '../../src/backend/controller-parts.js';
import { DEFAULT_RULES } from '../../src/backend/firewall.js';
import { JOURNAL_BYTES, Journal } from '../../src/backend/journal.js';
import { SimUsbGuest } from '../../src/sim/frontend/index.js';

const CONNECTED = { urbRef: 8, connectionRef: 9, eventChannel: 3 };

/** What is set differently from the usual. */
type StageOptions = Partial<Pick<ControllerParts, 'domid' | 'version' | 'budget' | 'rules' | 'tracer'>>;

/** One guest with one controller, and whatever serves it at the moment. */
export class Stage {
  readonly guest = new SimUsbGuest(8);
  readonly journal = new Uint8Array(JOURNAL_BYTES);
  readonly blocks = new Blocks(plainMemory);
  readonly messages: string[] = [];
  readonly progress = new Map<number, PortProgress | undefined>();
  broken: string | undefined;
  controller: Controller;
  readonly #options: StageOptions;
  /** Raised by each kill: what a killed backend still does in this process does not count. */
  #life = 0;

  constructor(options: StageOptions = {}) {
    this.#options = options;
    new Journal(this.journal).begin(CONNECTED);
    this.controller = this.#make();
    this.controller.start();
  }

  #make(): Controller {
    const life = ++this.#life;
    const isAlive = (): boolean => life === this.#life;
    const journal = new Journal(this.journal);
    assert.ok(journal.isOf(CONNECTED));
    return new Controller({
      domid: 1,
      portCount: 8,
      version: 2,
      memory: this.guest.hcd.memory,
      channel: this.guest.hcd.events.bind(),
      journal,
      blocks: this.blocks,
      budget: new Budget(),
      rules: DEFAULT_RULES,
      clock: systemClock,
      listener: {
        broken: (reason) => {
          if (isAlive()) this.broken = reason;
        },
        portChanged: (port, progress) => {
          if (isAlive()) this.progress.set(port, progress);
        },
        log: (message) => this.messages.push(message),
      },
      ...this.#options,
    });
  }

  /** Puts a device into a port. */
  plug(port: number, device: LentDevice): void {
    assert.equal(this.controller.plug(port, device), undefined);
  }

  /** kill -9, and a new backend that takes over. Its devices are given to it with {@link plug}. */
  async kill(): Promise<void> {
    this.guest.hcd.events.kill();
    for (const { device } of this.controller.ports.values()) await device.close();
    this.controller = this.#make();
    this.controller.takeOver();
  }

  /** Nothing has gone wrong that a guest would not forgive. */
  check(): void {
    assert.equal(this.guest.hcd.dead, undefined);
    assert.equal(this.broken, undefined);
    assert.equal(this.guest.hcd.spurious, 0, 'notifications without anything new');
  }
}

/** Bytes that differ from place to place. */
export function noise(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0 || 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
