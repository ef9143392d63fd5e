import { USUAL_SUITE } from '../support/suites.js';
import { daemonConformance } from './daemons.js';

await daemonConformance('c', USUAL_SUITE);
