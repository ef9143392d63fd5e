import { kitOrSkip } from '../xenstored/fetch.js';
import { daemonSubject } from './subject.js';
import { conformance } from './suite.js';

const { skip } = await kitOrSkip();
conformance({ name: "Debian's oxenstored", like: 'o', real: true, skip, make: () => daemonSubject('o') });
