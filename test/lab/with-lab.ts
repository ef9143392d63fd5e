/** Labs for suites: they end with the suite, however it ends, and their logs are kept when a test fails. */

import { progress } from '../../lab/base/progress.js';
import { type Lab, openLab } from '../../lab/lab/lab.js';
import { installPvusb } from '../../lab/lab/product.js';
import { type LabOptions, snapshotLab, startLab } from '../../lab/lab/start.js';

/** A lab that has a name. */
type SuiteOptions = LabOptions & { readonly name: string };

/** Runs a test in a lab of its own. */
export async function withLab(options: SuiteOptions, test: (lab: Lab) => Promise<void>): Promise<void> {
  using _ = await endWithSuite(options.name);
  await using lab = await startLab(options);
  await keepingLogs(lab, () => test(lab));
}

/**
 * A lab for many cases, one after the other, with pvusb in its dom0. A failed case may leave anything behind: the next
 * one gets a new lab.
 */
export class CasesLab {
  readonly #options: SuiteOptions;
  readonly #prepare: (lab: Lab) => Promise<void>;
  #lab: Promise<Lab>;

  private constructor(options: SuiteOptions, prepare: (lab: Lab) => Promise<void>) {
    this.#options = options;
    this.#prepare = prepare;
    this.#lab = this.#start();
  }

  /** Starts it; `prepare` runs before the first case, and in each new lab. */
  static async start(
    options: SuiteOptions,
    prepare: (lab: Lab) => Promise<void> = async () => undefined,
  ): Promise<CasesLab> {
    await endWithSuite(options.name);
    const cases = new CasesLab(options, prepare);
    await cases.#lab;
    return cases;
  }

  /** Runs a case. */
  async play(part: (lab: Lab) => Promise<void>): Promise<void> {
    const lab = await this.#lab;
    try {
      await keepingLogs(lab, () => part(lab));
    } catch (error) {
      this.#lab = lab.stop().then(() => this.#start());
      // The next case waits for it, and says so if it does not come up.
      await this.#lab.catch(() => undefined);
      throw error;
    }
  }

  /** Ends the lab. */
  async stop(): Promise<void> {
    await (await this.#lab).stop();
  }

  async #start(): Promise<Lab> {
    const lab = await startLab(this.#options);
    try {
      await keepingLogs(lab, async () => {
        await installPvusb(lab);
        // A device without a driver makes the doctor always look twice.
        await lab.unplug('card');
        await this.#prepare(lab);
      });
    } catch (error) {
      await lab.stop();
      throw error;
    }
    return lab;
  }
}

/**
 * Ends a lab with this name that a killed run has left over, and makes sure that the suite's lab ends with the suite,
 * until this is disposed of: a suite may have another lab then, and what it does for this one would fail.
 */
async function endWithSuite(name: string): Promise<Disposable> {
  await stopLabs(name);
  const interrupted = (): void => void exitAfter(stopLabs(name));
  // A hanging suite is ended with this.
  const terminated = (): void => void exitAfter(cutShort(name));
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', terminated);
  return {
    [Symbol.dispose]() {
      process.off('SIGINT', interrupted);
      process.off('SIGTERM', terminated);
    },
  };
}

async function exitAfter(body: Promise<void>): Promise<void> {
  await body.catch((error: unknown) => progress(String(error)));
  process.exit(1);
}

/** Runs a part of a test. If it fails the progress says where the logs are. */
async function keepingLogs(lab: Lab, part: () => Promise<void>): Promise<void> {
  try {
    await part();
  } catch (error) {
    progress(`failed; the logs are in ${await lab.keepLogs()}`);
    throw error;
  }
}

async function cutShort(name: string): Promise<void> {
  try {
    progress(`cut short; the logs are in ${await (await openLab(name)).keepLogs()}`);
  } finally {
    await stopLabs(name);
  }
}

async function stopLabs(name: string): Promise<void> {
  for (const one of [snapshotLab(name), name]) {
    const lab = await openLab(one).catch(() => undefined);
    await lab?.stop();
  }
}
