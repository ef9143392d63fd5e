import { describe } from 'node:test';
import { openSimulated } from '../support/test-host.js';
import { scenarios } from './scenarios.js';

describe('assigned devices, on the simulated store', () => scenarios(openSimulated));
