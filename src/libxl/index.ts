/** What libxl stores about its guests: their saved configurations, the lock on them, its controller types. */
export type { Clock } from '../async/index.js';
export {
  CONTROLLER_TYPES,
  type ControllerType,
  isControllerType,
  PORT_RANGES,
  PORTS_MAX,
  type PortRange,
  USUAL_VERSION,
  VERSION_MAX,
} from './controller-type.js';
export type { SavedController, SavedControllerType, SavedDevice } from './entries.js';
export {
  isLibxlError,
  LibxlError,
  type LibxlErrorCode,
  type LibxlErrorDetails,
  type LockHolder,
} from './errors.js';
export { CONFIG_BYTES_MAX, SavedConfig } from './saved-config.js';
export {
  type DomainFiles,
  type LockedUserdata,
  openUserdata,
  type Userdata,
  type UserdataLockOptions,
} from './userdata.js';
