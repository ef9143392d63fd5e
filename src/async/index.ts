export * from './abort.js';
export * from './clock.js';
export * from './deadline.js';
export * from './limit.js';
export * from './mutex.js';
