/** The thread for the core cases: runs one, on a host of its own whose invariants are checked at the end. */
import { answerTasks } from '../../support/thread.js';
import { CASES, type CaseTask, STORES } from './all.js';
import type { Case } from './case.js';

answerTasks(async ({ store, group, index }: CaseTask): Promise<void> => {
  const { options = {}, unsound = false, run }: Case = CASES[group][index]!;
  await using lab = await STORES[store](options);
  await run(lab);
  if (unsound) lab.assertNothingLeaks();
  else await lab.assertSound();
});
