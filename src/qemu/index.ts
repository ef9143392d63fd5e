/** Starting and ending the QEMU of a guest that has none. */
export type { QemuGuest } from './command-line.js';
export { openQemuRunner, type QemuRunner } from './runner.js';
