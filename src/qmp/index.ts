/** A client of the QEMU machine protocol, and what PVUSB asks a QEMU through it. */
export type { Clock } from '../async/index.js';
export * from './client.js';
export { isQmpError, QmpError, type QmpErrorCode } from './errors.js';
export * from './qusb.js';
export { connectSocket } from './socket.js';
export type { QmpTransport, QmpTransportEvents } from './transport.js';
export * from './usb.js';
export type { JsonObject, JsonValue, QemuVersion, QmpEvent } from './wire.js';
