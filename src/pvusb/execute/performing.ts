/** What every action is performed with. */
import type { Named } from '../model/wording.js';
import type { CallOptions } from '../observe/host.js';

/** A signal, and the names of the domains, for errors. */
export interface Performing extends CallOptions, Named {}
