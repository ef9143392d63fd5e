import { describe } from 'node:test';
import { openSimulated } from '../core/support/test-host.js';
import { scenarios } from './scenarios.js';

describe('a daemon, on a simulated host', () =>
  scenarios(openSimulated, { kills: Array.from({ length: 20 }, (_, i) => 1 + 3 * i) }));
