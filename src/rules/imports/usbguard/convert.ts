/** USBGuard's rules as statements about devices. */
import { escapeText, printable } from '../../../sysfs/text.js';
import { TEXT_MAX } from '../../parse.js';
import type { Identity } from '../../rule.js';
import { canMeet, meetOf, narrowerIds } from '../identities.js';
import type { ForeignLine, Remark, Statement } from '../statement.js';
import { charactersIn, textOf } from '../text.js';
import type { UsbGuardLine } from './parse.js';
import { type Attribute, type AttributeName, formatAttribute, type UsbGuardRule } from './rule.js';

/** Longest serial number that a device can have, in characters: `pvusb devices` cuts there. */
const SERIAL_MAX = 128;

/** More combinations of values than this are no longer rules that anyone reads. */
const IDENTITIES_MAX = 64;

/** What a line says. */
export function readUsbGuardLine({ line, untrustedBytes, rule, offsets }: UsbGuardLine): ForeignLine {
  const text = printable(textOf(untrustedBytes));
  if (!rule) return { line, text };
  const columnOf = (name: AttributeName | 'target'): number =>
    charactersIn(untrustedBytes.slice(0, offsets.get(name)!)) + 1;
  return { line, text, statement: statementOf(rule, columnOf) };
}

/** What an attribute allows: any of these, exactly; `likely` is what was meant if it cannot be expressed. */
interface Choice {
  readonly exactly?: readonly Identity[];
  readonly within: readonly Identity[];
  readonly like?: readonly Identity[];
  readonly obstacle?: string;
  readonly note?: string;
}

const ANY: Choice = { exactly: [{}], within: [{}] };
const NONE: readonly Identity[] = [];

function statementOf(
  { target, attributes }: UsbGuardRule,
  columnOf: (name: AttributeName | 'target') => number,
): Statement {
  const isAllowed = target === 'allow';
  const obstacles: Remark[] = [];
  const notes: Remark[] = [];
  let exactly: readonly Identity[] | undefined = [{}];
  let within: readonly Identity[] = [{}];
  let like: readonly Identity[] = [{}];
  if (target === 'match' || target === 'device') {
    const message = `A rule that begins with ${target} is for USBGuard's own use: in a file it ends the search, and does nothing.`;
    obstacles.push({ column: columnOf('target'), message });
  }
  for (const [name, attribute] of attributes) {
    const choice = choiceOf(name, attribute, isAllowed);
    const column = columnOf(name);
    if (choice.obstacle !== undefined) obstacles.push({ column, message: choice.obstacle });
    if (choice.note !== undefined) notes.push({ column, message: choice.note });
    const all = choice.exactly ?? choice.within;
    exactly = exactly && product(exactly, choice.exactly ?? choice.within);
    within = product(within, all) ?? within;
    like = product(like, choice.like ?? all) ?? like;
    if (exactly === undefined && obstacles.length === 0)
      obstacles.push({ column, message: `It expands to more than ${IDENTITIES_MAX} rules.` });
  }
  const column = columnOf('target');
  // What is about no device says nothing, whatever else is in it.
  if (within.length === 0) return { isAllowed, column, exactly: NONE, within, like, obstacles: [], notes };
  if (obstacles.length > 0) return { isAllowed, column, within, like, obstacles, notes };
  return { isAllowed, column, exactly: exactly!, within, like, obstacles, notes };
}

/** Everything that is one of `ones` and one of `others`; undefined when that is too much. */
function product(ones: readonly Identity[], others: readonly Identity[]): readonly Identity[] | undefined {
  if (ones.length * others.length > IDENTITIES_MAX) return undefined;
  const described = (identity: Identity) => ({ identity, isAny: true });
  return ones.flatMap((one) =>
    others.flatMap((other) => (canMeet(described(one), described(other)) ? meetOf(one, other) : [])),
  );
}

function choiceOf(name: AttributeName, attribute: Attribute, isAllowed: boolean): Choice {
  switch (name) {
    case 'id':
      return onlyOne(name, attribute, idsOf, (ones) => meetAll(ones));
    case 'serial':
      return onlyOne(name, attribute, serialOf, sameAll);
    case 'hash':
      return onlyOne(name, attribute, hashOf, sameAll);
    case 'with-interface':
      return interfacesOf(attribute, isAllowed);
    case 'if':
      return conditionsOf(attribute);
    case 'label':
      return ANY;
    default:
      return { within: [{}], obstacle: `${name} cannot be expressed in pvusb rules.${REMEDIES[name] ?? ''}` };
  }
}

const REMEDIES: Partial<Readonly<Record<AttributeName, string>>> = {
  'via-port': ' socket= is the name of a socket that lasts: see "pvusb devices".',
  'parent-hash': ' behind= names a hub by its socket: see "pvusb devices".',
};

/** A value as an identity; undefined for one that no device has; or why it cannot be expressed. */
type ReadValue = Identity | undefined | { readonly obstacle: string };

/** An attribute of which a device has exactly one value. */
function onlyOne(
  name: AttributeName,
  { operator, values }: Attribute,
  read: (value: string) => ReadValue,
  meet: (identities: readonly Identity[]) => readonly Identity[],
): Choice {
  if (operator === 'none-of')
    return { within: [{}], obstacle: `${name} none-of cannot be expressed: pvusb rules have no negation.` };
  if (operator === 'match-all') {
    const why = name === 'id' ? 'it knows no * there' : 'it does not compare anything';
    return { within: [{}], obstacle: `USBGuard does not implement match-all for ${name}: ${why}.` };
  }
  if (operator.startsWith('equals') && values.length > 1) {
    const note = `It matches no device: none has several values of ${name}. USBGuard's one-of is for that.`;
    return { exactly: NONE, within: NONE, note };
  }
  const found = values.map(read);
  const obstacle = found.find((one) => one !== undefined && 'obstacle' in one);
  if (obstacle && 'obstacle' in obstacle) return { within: [{}], obstacle: obstacle.obstacle };
  const known = found.filter((one): one is Identity => one !== undefined);
  const isMissing = known.length < found.length;
  const exactly = operator === 'one-of' ? known : isMissing ? NONE : meet(known);
  const note = isMissing ? `No device has this value of ${name}: ${WANTED[name]}.` : undefined;
  return { exactly, within: exactly, ...(note === undefined ? {} : { note }) };
}

const WANTED: Partial<Readonly<Record<AttributeName, string>>> = {
  id: 'USBGuard compares ids as texts, and those of devices are in lower case',
  serial: 'it is too long, or ends in what USBGuard cuts off',
  hash: 'a hash is 44 characters of base64',
};

function meetAll(identities: readonly Identity[]): readonly Identity[] {
  let ids: string | undefined;
  for (const { ids: other } of identities) {
    const both: string | undefined =
      ids === undefined || other === undefined ? (ids ?? other) : narrowerIds(ids, other);
    if (both === undefined && ids !== undefined) return NONE;
    ids = both;
  }
  return [ids === undefined ? {} : { ids }];
}

function sameAll(identities: readonly Identity[]): readonly Identity[] {
  const [first, ...others] = identities;
  const isSame = others.every((one) => one.serial === first!.serial && one.hash === first!.hash);
  return isSame ? [first!] : NONE;
}

function idsOf(value: string): ReadValue {
  if (value === '*:*') return {};
  return /[A-F]/.test(value) ? undefined : { ids: value };
}

function hashOf(value: string): ReadValue {
  return /^[A-Za-z0-9+/]{43}=$/.test(value) ? { hash: value } : undefined;
}

function serialOf(bytes: string): ReadValue {
  const text = textOf(bytes);
  // USBGuard cuts these off what a device says.
  if (/[\0\n\r\t\b]$/.test(text) || [...text].length > SERIAL_MAX) return undefined;
  if (text.includes('\ufffd'))
    return { obstacle: 'A serial number that is not text (UTF-8) cannot be expressed.' };
  const serial = escapeText(text);
  if (serial.trim() !== serial)
    return { obstacle: 'Spaces around a serial number cannot be expressed: pvusb rules ignore them.' };
  if (serial.length > TEXT_MAX) return { obstacle: 'This serial number is too long for pvusb rules.' };
  return { serial };
}

function interfacesOf({ operator, values }: Attribute, isAllowed: boolean): Choice {
  const patterns = values.map((value) => value.replaceAll(':', '/').replace('/*/*', '/*'));
  const said: readonly Identity[] = [{ interfaces: [...new Set(patterns)] }];
  const isOne = new Set(patterns).size === 1;
  const isEqual = operator.startsWith('equals');
  const attribute = formatAttribute('with-interface', { operator, values });
  if (isAllowed) {
    if (operator === 'match-all') return { exactly: said, within: said };
    const obstacle = isEqual
      ? `"${attribute}" counts interfaces; interface= says that there are no others, in any number, as match-all does.`
      : `"${attribute}" accepts other interfaces too; interface= says that there are no others, as match-all does.`;
    return { within: isEqual && values.length === 1 ? said : [{}], like: isEqual ? said : [{}], obstacle };
  }
  if (operator === 'one-of' || (operator === 'all-of' && isOne)) return { exactly: said, within: said };
  const obstacle =
    operator === 'none-of' || operator === 'match-all'
      ? `"${attribute}" denies for what a device does not have; interface= denies for what it has, as one-of does.`
      : `"${attribute}" wants several at once; interface= denies for any of them, as one-of does.`;
  const isPositive = isEqual || operator === 'all-of';
  // A device that has all of them has the first.
  return {
    within: isPositive ? [{ interfaces: [patterns[0]!] }] : [{}],
    like: isPositive ? said : [{}],
    obstacle,
  };
}

function conditionsOf({ operator, values }: Attribute): Choice {
  const results = values.map((value) => {
    const isTrue = value.replace('!', '') === 'true';
    return isTrue || value.replace('!', '') === 'false' ? isTrue !== value.startsWith('!') : undefined;
  });
  const unknown = values[results.indexOf(undefined)];
  if (unknown !== undefined)
    return {
      within: [{}],
      obstacle: `The condition ${printable(textOf(unknown))} cannot be expressed in pvusb rules.`,
    };
  const isMet =
    operator === 'one-of'
      ? results.includes(true)
      : operator === 'none-of'
        ? !results.includes(true)
        : !results.includes(false);
  if (isMet) return ANY;
  return { exactly: NONE, within: NONE, note: 'It matches no device: its condition is never met.' };
}
