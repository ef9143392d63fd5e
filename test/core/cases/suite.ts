/** Registers the core cases as tests of the operations on one kind of store. */
import { describe, test } from 'node:test';
import type { OpenLab } from '../support/test-host.js';
import { attachCases } from './attach.js';
import type { Case } from './case.js';
import { controllerCases } from './controllers.js';
import { detachCases } from './detach.js';
import { devicemodelCases } from './devicemodel.js';
import { libxlCases } from './libxl.js';
import { qusbCases } from './qusb.js';
import { refusalCases } from './refused.js';

const CASES: Readonly<Record<string, readonly Case[]>> = {
  controllers: controllerCases,
  attaching: attachCases,
  detaching: detachCases,
  refusing: refusalCases,
  'through QEMU, type qusb': qusbCases,
  'through QEMU, type devicemodel': devicemodelCases,
  'like libxl': libxlCases,
};

/** Runs all cases, each on a host of its own whose invariants are checked in the end. */
export function coreSuite(name: string, openHost: OpenLab, { skip = false }: { skip?: string | false } = {}) {
  if (skip !== false) test(`the core on ${name}`, { skip });
  describe(`the core on ${name}`, { skip, concurrency: 4 }, () => {
    for (const [group, cases] of Object.entries(CASES)) {
      for (const { name: sentence, options = {}, unsound = false, run } of cases) {
        test(`${group}: ${sentence}`, async () => {
          await using lab = await openHost(options);
          await run(lab);
          if (unsound) lab.assertNothingLeaks();
          else await lab.assertSound();
        });
      }
    }
  });
}
