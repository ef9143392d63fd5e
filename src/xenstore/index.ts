/** A xenstore client: the whole protocol, pipelined, with transactions and watches. */
export type { Clock } from '../async/index.js';
export type { CallOptions } from './call.js';
export { type ClientOptions, type TransactionOptions, XenstoreClient } from './client.js';
export { openDevice } from './device.js';
export { causeCode, isXenstoreError, KNOWN_ERRNOS, XenstoreError, type XenstoreErrorCode } from './errors.js';
export { openXenstore, type XenstoreEnvironment, xenstorePaths } from './open.js';
export * from './path.js';
export * from './permissions.js';
export { connectSocket } from './socket.js';
export type { Transport, TransportEvents } from './transport.js';
export { StoreView } from './view.js';
export { Watch } from './watch.js';
