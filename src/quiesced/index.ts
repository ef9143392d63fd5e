/** Guests that have given up their devices for a while. */
export { QuiescedFilesError } from './errors.js';
export { openQuiescedFiles, type QuiescedFiles, STATE_ROOT } from './files.js';
export {
  isToken,
  type QuiescedController,
  type QuiescedDevice,
  type QuiescedGuest,
  tokenFor,
} from './guest.js';
