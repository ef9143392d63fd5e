/** A rule of USBGuard. Plain data. */

/** The attributes of a rule, in the order in which USBGuard prints them. */
export const ATTRIBUTES = [
  'id',
  'serial',
  'name',
  'hash',
  'parent-hash',
  'via-port',
  'with-interface',
  'if',
  'with-connect-type',
  'label',
] as const;

/** What a rule can say of a device, or of itself. */
export type AttributeName = (typeof ATTRIBUTES)[number];

/** How the values of an attribute are compared with those of a device. */
export const OPERATORS = ['all-of', 'one-of', 'none-of', 'equals-ordered', 'equals', 'match-all'] as const;

/** One of them; `equals` where none is given. */
export type Operator = (typeof OPERATORS)[number];

/** What a rule does; the last two are for USBGuard's own use, and yet are read in files. */
export const TARGETS = ['allow', 'block', 'reject', 'match', 'device'] as const;

/** One of them. */
export type Target = (typeof TARGETS)[number];

/**
 * The values of one attribute. Strings are unescaped, and like conditions they are bytes, each of which is a character;
 * interfaces are in lower case, ids as in the file.
 */
export interface Attribute {
  readonly operator: Operator;
  readonly values: readonly string[];
}

/** A rule, that is a line of a file. */
export interface UsbGuardRule {
  readonly target: Target;
  readonly attributes: ReadonlyMap<AttributeName, Attribute>;
}

/** The attributes whose values are strings. */
export function isText(name: AttributeName): boolean {
  return name !== 'id' && name !== 'with-interface' && name !== 'if';
}

/** A rule as USBGuard prints it (`usbguard-rule-parser`): bytes, each of which is a character. */
export function formatUsbGuardRule({ target, attributes }: UsbGuardRule): string {
  const said = ATTRIBUTES.flatMap((name) => {
    const attribute = attributes.get(name);
    return attribute === undefined ? [] : ` ${formatAttribute(name, attribute)}`;
  });
  return target + said.join('');
}

/** An attribute as USBGuard prints it: only what is not usual is in braces. */
export function formatAttribute(name: AttributeName, { operator, values }: Attribute): string {
  const words = values.map((value) => (isText(name) ? `"${escaped(value)}"` : value)).join(' ');
  if (operator !== 'equals') return `${name} ${operator} { ${words} }`;
  return values.length === 1 ? `${name} ${words}` : `${name} { ${words} }`;
}

function escaped(bytes: string): string {
  return bytes
    .replace(/["\\]/g, '\\$&')
    .replace(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
