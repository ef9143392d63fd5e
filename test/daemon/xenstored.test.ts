import { describe } from 'node:test';
import { openOnDaemon } from '../core/support/test-host.js';
import { kitOrSkip } from '../xenstored/fetch.js';
import { scenarios } from './scenarios.js';

const { skip } = await kitOrSkip();
describe("a daemon, on Debian's C xenstored", { skip }, () => scenarios(openOnDaemon('c')));
describe("a daemon, on Debian's oxenstored", { skip }, () => scenarios(openOnDaemon('o')));
