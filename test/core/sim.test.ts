import { openSimulated } from './lab.js';
import { coreSuite } from './suite.js';

coreSuite('the simulated store', openSimulated);
