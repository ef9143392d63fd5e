import { kitOrSkip } from '../../xenstored/fetch.js';
import { openOnDaemon } from '../support/test-host.js';
import { coreSuite } from './suite.js';

const { skip } = await kitOrSkip();
coreSuite("Debian's oxenstored", openOnDaemon('o'), { skip });
