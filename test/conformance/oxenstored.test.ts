import { chosenSuite } from '../support/suites.js';
import { daemonConformance } from './daemons.js';

await daemonConformance('o', chosenSuite() ?? 'bookworm');
