/** Rules of other programs: USBGuard's, XAPI's, and the names that Qubes OS gives devices. */
export type { ImportedLine, ImportOptions, ImportReport } from './convert.js';
export {
  formatImported,
  IMPORT_FORMATS,
  type ImportedFile,
  type ImportFormat,
  importFile,
  isGuestName,
} from './formats.js';
export { hasQubesName, parseQubesName, type QubesName } from './qubes.js';
export type { ForeignFile } from './text.js';
