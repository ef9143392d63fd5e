import { coreSuite } from './suite.js';

coreSuite('the simulated store');
