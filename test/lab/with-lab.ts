/** A lab for a test: its logs are kept when the test fails, and it ends in any case. */
import { type Lab, openLab } from '../../lab/lab.js';
import { progress } from '../../lab/progress.js';
import { type LabOptions, startLab } from '../../lab/start.js';

/** Runs a test in a lab of its own. When it fails the progress says where the logs are. */
export async function withLab(
  options: LabOptions & { readonly name: string },
  test: (lab: Lab) => Promise<void>,
): Promise<void> {
  await stopLeftOver(options.name);
  await using lab = await startLab(options);
  try {
    await test(lab);
  } catch (error) {
    progress(`failed; the logs are in ${await lab.keepLogs()}`);
    throw error;
  }
}

/** Ends a lab that a run left over which was killed. */
export async function stopLeftOver(name: string): Promise<void> {
  const leftOver = await openLab(name).catch(() => undefined);
  await leftOver?.stop();
}
