/** A simulated QEMU: {@link SimQemu}. */
export { type Fields, QmpError } from './machine.js';
export { type QemuOptions, SimQemu } from './qemu.js';
export type { QemuVersion, QmpCommand, QmpFate } from './qmp.js';
