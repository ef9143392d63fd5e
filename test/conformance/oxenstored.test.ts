import { kitOrSkip } from '../xenstored/fetch.js';
import { daemonSubject } from './subject.js';
import { conformance } from './suite.js';

const { skip } = await kitOrSkip();
conformance("Debian's oxenstored", 'o', () => daemonSubject('o'), skip);
