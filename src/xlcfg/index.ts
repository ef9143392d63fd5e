/** The configuration files of xl's guests (xl.cfg(5)), and what they say about USB. Pure: text in, plain data out. */
export { SIZE_MAX } from './decode.js';
export {
  type OnWarning,
  type Position,
  XlCfgError,
  type XlCfgErrorCode,
  type XlCfgWarning,
} from './errors.js';
export { formatUsbSettings } from './format.js';
export type {
  ControllerSetting,
  DeviceSetting,
  Placed,
  PlacedUsbSettings,
  UsbSettings,
} from './model.js';
export { isZero, NOT_A_NUMBER, type NumberRule, parseNumber } from './number.js';
export {
  parseXlCfg,
  type XlCfgAtom,
  type XlCfgSettings,
  type XlCfgValue,
} from './parser.js';
export { parseUsbSettings, readUsbSettings } from './settings.js';
export { type Unquoted, unquote } from './unquote.js';
