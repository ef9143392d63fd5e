/** Which requests of a guest are passed on to a device; the host controller carries out others itself. Pure. */
import { type AlternateSetting, Feature, type Setup, StandardRequest } from '../usb/index.js';

/** A rule on control requests, or with an endpoint on its transfers. What it does not name matches everything. */
export interface FirewallRule {
  readonly verdict: 'allow' | 'stall';
  readonly vendor?: number;
  readonly product?: number;
  /** The class of the interface that the request is for; with {@link subClass} and {@link protocol}. */
  readonly class?: number;
  readonly subClass?: number;
  readonly protocol?: number;
  readonly kind?: Setup['kind'];
  readonly recipient?: Setup['recipient'];
  readonly request?: number;
  /** The high byte of `wValue`: the type of a descriptor or of a report. */
  readonly valueHigh?: number;
  readonly value?: number;
  /** `bEndpointAddress` of an endpoint, whose transfers are meant then. */
  readonly endpoint?: number;
  /** For the log and the person who reads it. */
  readonly reason: string;
}

/** What a request is for. */
interface Aim {
  readonly vendor: number;
  readonly product: number;
  /** The settings of the interfaces in use: none while the guest has not configured it. */
  readonly interfaces: readonly AlternateSetting[];
  /** All settings that the device has, in any configuration. */
  readonly possible: readonly AlternateSetting[];
}

const FEATURE_REPORT = 3;
const PRINTER = 7;
const APPLICATION = 0xfe;

/** Stalled unless a rule before allows it: what only a host may set, and what replaces the firmware of a device. */
export const DEFAULT_RULES: readonly FirewallRule[] = [
  {
    verdict: 'stall',
    kind: 'standard',
    request: StandardRequest.setDescriptor,
    reason: 'it would change what the device is',
  },
  ...[StandardRequest.setSel, StandardRequest.setIsochDelay].map(
    (request): FirewallRule => ({
      verdict: 'stall',
      kind: 'standard',
      request,
      reason: 'only the host sets link timing',
    }),
  ),
  ...[Feature.testMode, Feature.u1Enable, Feature.u2Enable, Feature.ltmEnable].map(
    (value): FirewallRule => ({
      verdict: 'stall',
      kind: 'standard',
      recipient: 'device',
      request: StandardRequest.setFeature,
      value,
      reason: 'only the host sets test modes and link power',
    }),
  ),
  {
    verdict: 'stall',
    kind: 'class',
    class: APPLICATION,
    subClass: 1,
    request: 0,
    reason: 'it would detach the device to its firmware loader (DFU)',
  },
  {
    verdict: 'stall',
    kind: 'class',
    class: APPLICATION,
    subClass: 1,
    request: 1,
    reason: 'it would write firmware (DFU)',
  },
  {
    verdict: 'stall',
    kind: 'class',
    class: 3,
    protocol: 1,
    request: 9,
    valueHigh: FEATURE_REPORT,
    reason: 'feature reports of keyboards can change their firmware',
  },
];

/** Why a request is stalled; undefined when it may go to the device. The first rule that matches decides. */
export function stallReason(rules: readonly FirewallRule[], aim: Aim, setup: Setup): string | undefined {
  const target = targetOf(aim, setup);
  const rule = rules.find((each) => each.endpoint === undefined && matches(each, aim, target, setup));
  if (rule) return rule.verdict === 'stall' ? rule.reason : undefined;
  const isForInterface = setup.recipient === 'interface' && setup.kind !== 'standard';
  return isForInterface && !target ? 'the device has no such interface in use' : undefined;
}

/** The interface that a request names, directly or by an endpoint. */
function targetOf({ interfaces }: Aim, setup: Setup): AlternateSetting | undefined {
  const { requestType, request, recipient, index } = setup;
  if (recipient === 'interface') {
    // GET_DEVICE_ID has the interface in the high byte, its setting in the low one (printer class 1.1, 4.2.1).
    const printer =
      requestType === 0xa1 && request === 0
        ? interfaces.find(
            (one) => one.class === PRINTER && one.interface === index >> 8 && one.setting === (index & 0xff),
          )
        : undefined;
    return printer ?? interfaces.find((one) => one.interface === (index & 0xff));
  }
  if (recipient !== 'endpoint') return undefined;
  return interfaces.find(({ endpoints }) => endpoints.some(({ address }) => address === (index & 0x8f)));
}

/** The endpoints whose transfers are stalled, and why. The first rule for an endpoint decides. */
export function stalledEndpoints(
  rules: readonly FirewallRule[],
  aim: Omit<Aim, 'possible'>,
): ReadonlyMap<number, string> {
  const stalled = new Map<number, string>();
  for (const target of aim.interfaces) {
    for (const { address } of target.endpoints) {
      const rule = rules.find((each) => each.endpoint === address && isAimedAt(each, aim, [target]));
      if (rule?.verdict === 'stall') stalled.set(address, rule.reason);
    }
  }
  return stalled;
}

/**
 * Whether a rule is about this device, and of these interfaces about any when it stalls, about all when it allows: of
 * two that a request may mean, one must not open the other.
 */
function isAimedAt(
  rule: FirewallRule,
  aim: Omit<Aim, 'possible'>,
  interfaces: readonly AlternateSetting[],
): boolean {
  if (!isSame(rule.vendor, aim.vendor) || !isSame(rule.product, aim.product)) return false;
  if (rule.class === undefined && rule.subClass === undefined && rule.protocol === undefined) return true;
  const isOfClass = (one: AlternateSetting): boolean =>
    isSame(rule.class, one.class) &&
    isSame(rule.subClass, one.subClass) &&
    isSame(rule.protocol, one.protocol);
  return rule.verdict === 'stall'
    ? interfaces.some(isOfClass)
    : interfaces.length > 0 && interfaces.every(isOfClass);
}

function isSame(wanted: number | string | undefined, is: number | string | undefined): boolean {
  return wanted === undefined || wanted === is;
}

function matches(rule: FirewallRule, aim: Aim, target: AlternateSetting | undefined, setup: Setup): boolean {
  // One that names no interface in use, as to the device itself, is for any: firmware looks at less than it should. So
  // is one to a device that the guest has left without a configuration: the host's is still set.
  const { interfaces, possible } = aim;
  const candidates = target ? [target] : interfaces.length > 0 ? interfaces : possible;
  return (
    isAimedAt(rule, aim, candidates) &&
    isSame(rule.kind, setup.kind) &&
    isSame(rule.recipient, setup.recipient) &&
    isSame(rule.request, setup.request) &&
    isSame(rule.value, setup.value) &&
    isSame(rule.valueHigh, setup.value >> 8)
  );
}
