/** Registers the whole table as tests of one server. */

import { after, before, describe, test } from 'node:test';
import type { DaemonKind } from '../xenstored/daemon.js';
import { domains } from './domains.js';
import { guests } from './guests.js';
import { lists } from './lists.js';
import { nodes } from './nodes.js';
import { paths } from './paths.js';
import { permissions } from './permissions.js';
import { Lab, type Scenario } from './scenario.js';
import type { Subject } from './subject.js';
import { transactions } from './transactions.js';
import { watches } from './watches.js';
import { wire } from './wire.js';

const TABLE: Readonly<Record<string, readonly Scenario[]>> = {
  nodes,
  paths,
  lists,
  permissions,
  transactions,
  watches,
  guests,
  domains,
  wire,
};

/** A server to be tested. */
interface Candidate {
  /** What it is, for the report. */
  readonly name: string;
  /** Whose column of expectations applies, even while there is no server to ask yet. */
  readonly like: DaemonKind;
  /** Whether it is one of the real daemons. */
  readonly real: boolean;
  /** Why it is not available, if it is not. */
  readonly skip: string | false;
  /** Starts it. */
  make(): Promise<Subject>;
}

/** Runs the table against one server, which all scenarios share. */
export function conformance({ name, like, real, skip, make }: Candidate): void {
  // The test runner does not count a skipped group; it does count a skipped test.
  if (skip !== false) test(`${name} conforms to the reference`, { skip });
  describe(`${name} conforms to the reference`, { skip }, () => {
    let subject: Subject;
    before(async () => {
      subject = await make();
    });
    after(() => subject.close());
    for (const [noun, scenarios] of Object.entries(TABLE)) {
      describe(noun, () => {
        for (const { name: sentence, steps, only } of scenarios) {
          if ((only === 'c' && like !== 'c') || (only === 'daemons' && !real)) continue;
          test(sentence, async () => {
            const lab = new Lab(subject);
            try {
              for (const step of steps) await step(lab);
            } finally {
              await lab.clear();
            }
          });
        }
      });
    }
  });
}
