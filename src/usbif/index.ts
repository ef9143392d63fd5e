export * from './layout.js';
export * from './request.js';
export * from './response.js';
export * from './ring.js';
export * from './segments.js';
