/** Registers the core cases as tests of the operations on one kind of store. */
import { after, before, describe, test } from 'node:test';
import { Thread } from '../../support/thread.js';
import { CASES, type CaseTask } from './all.js';

/** Runs all cases on a store. */
export function coreSuite(store: CaseTask['store'], { skip = false }: { skip?: string | false } = {}) {
  if (skip !== false) test(`the core on ${store}`, { skip });
  describe(`the core on ${store}`, { skip, concurrency: 4 }, () => {
    let thread: Thread<CaseTask, void>;
    before(() => {
      thread = new Thread(new URL('./cases-thread.js', import.meta.url));
    });
    after(() => thread[Symbol.asyncDispose]());
    for (const group of Object.keys(CASES) as CaseTask['group'][]) {
      for (const [index, { name }] of CASES[group].entries()) {
        test(`${group}: ${name}`, () => thread.perform({ store, group, index }));
      }
    }
  });
}
