export type { SavedController, SavedControllerType, SavedDevice } from './entries.js';
export {
  isLibxlError,
  LibxlError,
  type LibxlErrorCode,
  type LibxlErrorDetails,
  type LockHolder,
} from './errors.js';
export { CONFIG_BYTES_MAX, SavedConfig } from './saved-config.js';
