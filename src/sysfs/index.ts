export * from './busid.js';
export type * from './device.js';
export type * from './files.js';
