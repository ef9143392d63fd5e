/** Every operation on controllers that usbback serves, with every call to the host going wrong in every way. */
import { OPERATIONS } from './operations.js';
import { sweep } from './sweep.js';

sweep('fault sweep', 'pv', OPERATIONS);
