/** What the host itself does with its USB devices, and so cannot lend. */
export type { DiskExport } from './blocks.js';
export type { HostFiles } from './files.js';
export { HostUses, openHostUses, type UsesOptions } from './host-uses.js';
export { openImages } from './images.js';
export type { HostRoots } from './node-files.js';
export { openProcesses } from './process.js';
export { type HostUse, type HostUseKind, USE_KINDS } from './use.js';
