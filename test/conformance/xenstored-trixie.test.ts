import { chosenSuite } from '../support/suites.js';
import { daemonConformance } from './daemons.js';

// Part of every run; not twice where one suite is asked for.
if (chosenSuite() === undefined) await daemonConformance('c', 'trixie');
