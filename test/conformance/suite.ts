/** Registers the whole table as tests of one server. */

import { after, before, describe, test } from 'node:test';
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

/**
 * Runs the table against one server, which all scenarios share.
 *
 * @param skip why it can't be had, if it can't
 */
export function conformance(
  name: string,
  like: 'c' | 'o',
  make: () => Promise<Subject>,
  skip: string | false,
): void {
  describe(`${name} conforms to the reference`, { skip }, () => {
    let subject: Subject;
    before(async () => {
      subject = await make();
    });
    after(() => subject.close());
    for (const [noun, scenarios] of Object.entries(TABLE)) {
      describe(noun, () => {
        for (const { name: sentence, steps, only } of scenarios) {
          if (only !== undefined && only !== like) continue;
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
