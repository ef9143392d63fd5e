/**
 * A client of the daemon `pvusb serve`, on this host or another: `openDaemon({ socketPath: '/run/pvusb/api.sock' })`.
 */
export type * from '../api/index.js';
export {
  type CallOptions,
  type Daemon,
  type DaemonMethods,
  type MethodArguments,
  type MethodName,
  openDaemon,
} from './client.js';
export type { EventsOptions } from './events.js';
export type { DaemonAddress } from './transport.js';
