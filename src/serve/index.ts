export * from './machine.js';
export * from './run.js';
export * from './server.js';
