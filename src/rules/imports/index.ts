/** Rules of other programs: USBGuard's and XAPI's files, and the names that Qubes OS gives devices. */
export {
  formatImported,
  IMPORT_FORMATS,
  type ImportedFile,
  type ImportFormat,
  importFile,
  isGuestName,
} from './formats.js';
export { parseQubesName } from './qubes.js';
