import { kitOrSkip } from '../../xenstored/fetch.js';
import { coreSuite } from './suite.js';

const { skip } = await kitOrSkip();
coreSuite("Debian's C xenstored", { skip });
