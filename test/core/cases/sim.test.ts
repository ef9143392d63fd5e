import { openSimulated } from '../support/test-host.js';
import { coreSuite } from './suite.js';

coreSuite('the simulated store', openSimulated);
