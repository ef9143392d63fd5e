export { type ControlAnswer, publishControl } from './control.js';
export { FifoError } from './fifo.js';
export { publishQmp, type QmpConnectable } from './qmp.js';
export { type ConnectableStore, publishStore } from './store.js';
export { type Published, publishSysfs } from './sysfs.js';
