export * from './active.js';
export * from './descriptors.js';
export * from './setup.js';
export * from './superspeed.js';
