/** A lab for a suite: it ends with the suite, however that ends, and its logs are kept when a test fails. */
import { type Lab, openLab } from '../../lab/lab.js';
import { installPvusb } from '../../lab/product.js';
import { progress } from '../../lab/progress.js';
import { type LabOptions, startLab } from '../../lab/start.js';

/** A lab that has a name. */
type SuiteOptions = LabOptions & { readonly name: string };

/** Starts the lab of a suite. One of its name that a killed run has left over is ended before. */
export async function startSuiteLab(options: SuiteOptions): Promise<Lab> {
  await stopLab(options.name);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => stopLab(options.name).finally(() => process.exit(1)));
  }
  return startLab(options);
}

/** Starts the lab of a suite of many cases, with pvusb in its dom0. */
export async function startCasesLab(options: SuiteOptions): Promise<Lab> {
  const lab = await startSuiteLab(options);
  await installPvusb(lab);
  // A device without a driver makes every doctor look twice.
  await lab.unplug('card');
  return lab;
}

/** Runs a test in a lab of its own. */
export async function withLab(options: SuiteOptions, test: (lab: Lab) => Promise<void>): Promise<void> {
  await using lab = await startSuiteLab(options);
  await keepingLogs(lab, () => test(lab));
}

/** Runs a part of a test. When it fails the progress says where the logs are. */
export async function keepingLogs(lab: Lab, part: () => Promise<void>): Promise<void> {
  try {
    await part();
  } catch (error) {
    progress(`failed; the logs are in ${await lab.keepLogs()}`);
    throw error;
  }
}

async function stopLab(name: string): Promise<void> {
  const lab = await openLab(name).catch(() => undefined);
  await lab?.stop();
}
