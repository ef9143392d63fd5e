import { describe } from 'node:test';
import { kitOrSkip } from '../../xenstored/fetch.js';
import { openOnDaemon } from '../support/test-host.js';
import { scenarios } from './scenarios.js';

const { skip } = await kitOrSkip();
describe("assigned devices, on Debian's C xenstored", { skip }, () => scenarios(openOnDaemon('c')));
