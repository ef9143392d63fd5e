export * from './machine.js';
export * from './server.js';
