export * from './guest.js';
export * from './hcd.js';
export * from './memory.js';
export * from './storage.js';
export * from './urb.js';
