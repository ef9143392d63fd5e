/** The daemon: what `pvusb serve` is made of. */
export { type CommandTerminal, type ServedCommands, serveCommands } from './command-line.js';
export { Daemon } from './daemon.js';
export { keepSmall } from './engine.js';
export * from './http/index.js';
export { auditEntry } from './record.js';
export type { Actor } from './service.js';
