import { chosenSuite } from '../support/suites.js';
import { daemonConformance } from './daemons.js';

await daemonConformance('c', chosenSuite() ?? 'bookworm');
