/** Rules: which guest gets which device. */
export type { Busid, DriverName, InterfaceId, UsbDevice, UsbInterface, UsbKind } from '../sysfs/index.js';
export { doubtsAbout, type RuleDoubt } from './check.js';
export { type Decision, decide, denial, type Guest, isGuest, type Verdict } from './decide.js';
export { withoutLine, withRule } from './edit.js';
export { mismatch, type Subject, specificity } from './match.js';
export { formatRule, linesOf, parseRules, type RuleSet } from './parse.js';
export type * from './rule.js';
export { EVERY_GUEST, formatPlace } from './rule.js';
export { isSocket, socketsOf } from './socket.js';
export { NAMED_BY, type NamedBy, type Suggestion, suggestIdentity } from './suggest.js';
