/** What serves a controller falls silent: usbback writes no state, a QEMU is stopped. */
import type { SimHost, SimQemu } from '../../src/sim/index.js';
import type { Stage } from './events.js';

/** Something that does nothing, until the silence ends. */
export class Silence {
  readonly #sim: SimHost;
  readonly #stalled: StalledQemu | undefined;

  private constructor(sim: SimHost, stalled: StalledQemu | undefined) {
    this.#sim = sim;
    this.#stalled = stalled;
  }

  /** From now on what serves the controller of this stage does nothing. */
  static of(sim: SimHost, { type, domid }: Stage): Silence {
    const qemu = sim.qemus.get(domid);
    if (type !== 'pv' && qemu?.alive) return new Silence(sim, new StalledQemu(sim, qemu));
    if (sim.usbback) sim.usbback.manner = 'slow';
    return new Silence(sim, undefined);
  }

  /** It is over: through what was waited for, or, for a QEMU, through its death. */
  async end(how: 'back' | 'killed'): Promise<void> {
    const { usbback } = this.#sim;
    await this.#stalled?.end(how);
    if (!usbback || usbback.manner === 'prompt') return;
    usbback.manner = 'prompt';
    await usbback.proceed();
  }
}

/** A stopped QEMU: it greets a client, but neither answers it nor follows xenstore. */
class StalledQemu {
  readonly #qemu: SimQemu;
  #resume: () => void = () => undefined;

  constructor(sim: SimHost, qemu: SimQemu) {
    this.#qemu = qemu;
    qemu.intercept = () => 'hang';
    const resumed = new Promise<void>((resolve) => {
      this.#resume = resolve;
    });
    // Whatever has changed there, this is what it reads first.
    const backends = `/local/domain/0/backend/qusb/${qemu.domid}`;
    const dom0 = sim.store.handle(0);
    const directory = dom0.directory.bind(dom0);
    dom0.directory = async (path) => {
      if (path === backends) await resumed;
      return directory(path);
    };
  }

  async end(how: 'back' | 'killed'): Promise<void> {
    this.#qemu.intercept = undefined;
    const over = how === 'killed' ? this.#qemu.kill() : undefined;
    this.#resume();
    await over;
  }
}
