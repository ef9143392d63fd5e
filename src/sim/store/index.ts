/** The simulated xenstored: {@link SimStore}. */
export type { StoreFate, StoreRequest } from './connection.js';
export { type StoreErrno, StoreError } from './errors.js';
export type { StoreHandle } from './handle.js';
export { DEFAULT_QUOTAS, type Quotas } from './quota.js';
export type { XenstoreVersion } from './release.js';
export { SimStore, type SimStoreOptions } from './store.js';
export type { StoreCopy } from './tree.js';
