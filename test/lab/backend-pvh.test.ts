import { playMatrix } from './matrix/matrix.js';
import { SETUPS } from './matrix/setup.js';

playMatrix(SETUPS['backend-pvh']);
