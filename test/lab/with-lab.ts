/** A lab for a test: its logs are kept when the test fails, and it ends in any case. */
import { type Lab, openLab } from '../../lab/lab.js';
import { progress } from '../../lab/progress.js';
import { type LabOptions, startLab } from '../../lab/start.js';

/** Runs a test in a lab of its own. When it fails the progress says where the logs are. */
export async function withLab(
  options: LabOptions & { readonly name: string },
  test: (lab: Lab) => Promise<void>,
): Promise<void> {
  // Left over by a run that was killed.
  const leftOver = await openLab(options.name).catch(() => undefined);
  await leftOver?.stop();
  await using lab = await startLab(options);
  try {
    await test(lab);
  } catch (error) {
    progress(`failed; the logs are in ${await lab.keepLogs()}`);
    throw error;
  }
}
