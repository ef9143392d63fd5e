/** A lab for a test: its logs are kept when the test fails, and it ends in any case. */
import { Lab, type LabOptions } from '../../lab/lab.js';
import { progress } from '../../lab/progress.js';

/** Runs a test in a lab of its own. What it throws says where the logs are. */
export async function withLab(options: LabOptions, test: (lab: Lab) => Promise<void>): Promise<void> {
  await using lab = await Lab.start(options);
  try {
    await test(lab);
  } catch (error) {
    progress(`failed; the logs are in ${await lab.keepLogs()}`);
    throw error;
  }
}
