import { USUAL_SUITE } from '../support/suites.js';
import { daemonConformance } from './daemons.js';

await daemonConformance('o', USUAL_SUITE);
