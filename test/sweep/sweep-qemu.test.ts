/** Every operation on controllers that a QEMU serves, with every call to the host going wrong in every way. */
import { QEMU_OPERATIONS } from './operations.js';
import { sweep } from './sweep.js';

sweep('fault sweep of QEMU', 'qemu', QEMU_OPERATIONS);
