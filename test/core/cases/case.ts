/** A core case: what every kind of store has to do. */
import type { Lab, LabOptions } from '../support/test-host.js';

/** One case: a sentence, the host it needs, and what is done on it. */
export interface Case {
  readonly name: string;
  readonly options?: LabOptions;
  /** The world is unsound on purpose: the invariants are not checked at the end. */
  readonly unsound?: boolean;
  run(lab: Lab): Promise<void>;
}
