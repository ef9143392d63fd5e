import { simSubject } from './subject.js';
import { conformance } from './suite.js';

conformance({ name: 'the simulated xenstored', like: 'c', real: false, skip: false, make: simSubject });
