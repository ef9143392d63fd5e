export * from './abort.js';
export * from './clock.js';
export * from './deadline.js';
export * from './folder.js';
export * from './keyed-mutex.js';
export * from './limit.js';
export * from './loop.js';
export * from './mutex.js';
