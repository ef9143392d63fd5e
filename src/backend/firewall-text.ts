/** The firewall's rules as people write them: a line each, the first that matches decides. Pure. */
import type { FirewallRule } from './firewall.js';

/** What is wrong in a text, and in which line. */
interface FirewallProblem {
  /** From 1. */
  readonly line: number;
  /** A sentence without its full stop. */
  readonly message: string;
}

/** What a text says. With a problem no rule counts. */
interface ParsedFirewall {
  readonly rules: readonly FirewallRule[];
  readonly problems: readonly FirewallProblem[];
}

type Draft = { -readonly [Key in keyof FirewallRule]?: FirewallRule[Key] };

/** How a value is written, for people: the forms of {@link KEYS}. */
const FORMS: Readonly<Record<string, string>> = {
  device: 'VVVV:PPPP or VVVV:*, such as 46f4:0001',
  class: 'CC, CC/SS or CC/SS/PP in hexadecimal, such as 08/06/50',
  kind: 'standard, class or vendor',
  recipient: 'device, interface, endpoint or other',
  request: 'a number from 0 to 0xff',
  value: 'a number from 0 to 0xffff',
  endpoint: 'an address such as 0x02 or 0x81 (not endpoint 0)',
};

/** What a line may say besides the verdict: how a value is parsed into a rule; undefined when it is not valid. */
const KEYS: Readonly<Record<string, (value: string) => Draft | undefined>> = {
  device(value) {
    const [, vendor, product] = /^([0-9a-f]{4}):([0-9a-f]{4}|\*)$/i.exec(value) ?? [];
    if (vendor === undefined || product === undefined) return undefined;
    return {
      vendor: Number.parseInt(vendor, 16),
      ...(product === '*' ? {} : { product: Number.parseInt(product, 16) }),
    };
  },
  class(value) {
    const [, code, subClass, protocol] =
      /^([0-9a-f]{2})(?:\/([0-9a-f]{2})(?:\/([0-9a-f]{2}))?)?$/i.exec(value) ?? [];
    if (code === undefined) return undefined;
    return {
      class: Number.parseInt(code, 16),
      ...(subClass === undefined ? {} : { subClass: Number.parseInt(subClass, 16) }),
      ...(protocol === undefined ? {} : { protocol: Number.parseInt(protocol, 16) }),
    };
  },
  kind: (value) =>
    value === 'standard' || value === 'class' || value === 'vendor' ? { kind: value } : undefined,
  recipient: (value) =>
    value === 'device' || value === 'interface' || value === 'endpoint' || value === 'other'
      ? { recipient: value }
      : undefined,
  request: (value) => numbered('request', value, 0xff),
  value: (value) => numbered('value', value, 0xffff),
  endpoint(value) {
    const draft = numbered('endpoint', value, 0x8f);
    // Bits 4 to 6 of an address are reserved; endpoint 0 takes control requests, which other words match.
    const address = draft?.endpoint ?? 0;
    return (address & 0x70) !== 0 || (address & 0x0f) === 0 ? undefined : draft;
  },
};

/** What only control requests have. */
const OF_REQUESTS = ['kind', 'recipient', 'request', 'value'] as const;

function numbered(key: 'request' | 'value' | 'endpoint', text: string, most: number): Draft | undefined {
  const value = /^(0x[0-9a-f]{1,4}|\d{1,5})$/i.test(text) ? Number(text) : Number.NaN;
  return value <= most ? { [key]: value } : undefined;
}

/**
 * Parses rules: `stall device=0403:6001 kind=vendor request=0x93`, `allow class=fe/01 kind=class`,
 * `stall class=08 endpoint=0x02`. What follows a `#` is a comment.
 */
export function parseFirewall(untrustedText: string): ParsedFirewall {
  const rules: FirewallRule[] = [];
  const problems: FirewallProblem[] = [];
  for (const [at, text] of untrustedText.split(/\r?\n/).entries()) {
    const words = text.replace(/#.*$/, '').trim().split(/\s+/);
    if (words[0] === '') continue;
    const rule = parseRule(words, `line ${at + 1} of the host's firewall rules forbids it`);
    if (typeof rule === 'string') problems.push({ line: at + 1, message: rule });
    else rules.push(rule);
  }
  return { rules: problems.length === 0 ? rules : [], problems };
}

function parseRule([verdict, ...words]: readonly string[], reason: string): FirewallRule | string {
  if (verdict !== 'allow' && verdict !== 'stall') {
    return `${JSON.stringify(verdict)} is neither "allow" nor "stall"`;
  }
  const draft: Draft = {};
  for (const word of words) {
    const [key = '', value = ''] = splitAt(word, '=');
    const read = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (!read) return `${JSON.stringify(key)} is not one of ${Object.keys(KEYS).join(', ')}`;
    const part = read(value);
    if (!part) return `${JSON.stringify(value)} is not a valid value for ${key}: give ${FORMS[key]}`;
    if (Object.keys(part).some((name) => name in draft)) return `${key} is given twice`;
    Object.assign(draft, part);
  }
  // One word too few would cut off every guest from every device.
  if (words.length === 0) return `a rule needs at least one of ${Object.keys(KEYS).join(', ')}`;
  if (draft.endpoint !== undefined && OF_REQUESTS.some((name) => draft[name] !== undefined)) {
    return 'endpoint matches transfers, not control requests: leave out kind, recipient, request and value';
  }
  return { ...draft, verdict, reason };
}

function splitAt(text: string, sign: string): [string, string] {
  const at = text.indexOf(sign);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
