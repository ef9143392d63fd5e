/** Files of rules: one rule a line. Documented in docs/rules.md. */
import { parseQubesName } from './imports/qubes.js';
import { cutLine, formatWord, type Word } from './lexer.js';
import {
  EVERY_GUEST,
  type Identity,
  MODES,
  type Mode,
  type Rule,
  type RuleBody,
  type RuleFile,
  type RuleProblem,
} from './rule.js';
import { isSocket } from './socket.js';

/** Longest file, far above what anyone writes, in characters. */
const FILE_MAX = 1_000_000;
/** Longest name and longest value, in characters. */
export const TEXT_MAX = 256;
const FOLLOW_MAX_S = 3_600;

/** What files say, and what is wrong with them. A line with a problem is no rule. */
export interface RuleSet {
  readonly rules: readonly Rule[];
  readonly problems: readonly RuleProblem[];
}

/** Reads files of rules, in order. */
export function parseRules(files: readonly RuleFile[]): RuleSet {
  const rules: Rule[] = [];
  const problems: RuleProblem[] = [];
  for (const { path, text } of files) {
    if (text.length > FILE_MAX) {
      problems.push({
        file: path,
        line: 1,
        column: 1,
        message: `The file has more than ${FILE_MAX} characters.`,
      });
      continue;
    }
    for (const [index, line] of linesOf(text).entries()) {
      const read = parseLine(line);
      if (!read) continue;
      const place = { file: path, line: index + 1, column: read.column };
      if ('message' in read) problems.push({ ...place, message: read.message });
      else rules.push({ ...read.rule, place });
    }
  }
  return { rules, problems };
}

/** The lines of a text, without what ends them. */
export function linesOf(text: string): string[] {
  return text.replace(/^\ufeff/, '').split(/\r?\n/);
}

type ParsedLine =
  | { readonly rule: RuleBody; readonly column: number }
  | { readonly column: number; readonly message: string };

/** What a line says; undefined when it says nothing. */
function parseLine(untrustedLine: string): ParsedLine | undefined {
  const line = cutLine(untrustedLine);
  if ('message' in line) return line;
  const [mode, guest, ...rest] = line.words;
  if (!mode) return undefined;
  try {
    return { column: mode.column, rule: ruleOf(mode, guest, rest, line.end) };
  } catch (error) {
    if (error instanceof Refusal) return { column: error.column, message: error.message };
    throw error;
  }
}

/** Ends the reading of a line. */
class Refusal extends Error {
  readonly column: number;

  constructor(column: number, message: string) {
    super(message);
    this.column = column;
  }
}

function ruleOf(mode: Word, guest: Word | undefined, rest: readonly Word[], end: number): RuleBody {
  if (mode.key !== undefined || !MODES.includes(mode.value as Mode))
    throw new Refusal(mode.column, `A rule begins with ${MODES.join(', ')}, not with ${quoted(mode)}.`);
  if (!guest) throw new Refusal(end, 'After the mode comes the name or uuid of the guest.');
  if (guest.key !== undefined)
    throw new Refusal(
      guest.column,
      `After the mode comes the name or uuid of the guest, not ${quoted(guest)}.`,
    );
  const said = saidBy(rest);
  const isDeny = mode.value === 'deny';
  if (guest.value === EVERY_GUEST && !isDeny)
    throw new Refusal(guest.column, 'Only "deny" is for every guest (*); a device can go to one guest only.');
  if (guest.value === '' || guest.value.length > TEXT_MAX)
    throw new Refusal(guest.column, 'This is not the name of a guest.');
  const identity = identityOf(said);
  if (!isDeny && Object.keys(identity).length === 0)
    throw new Refusal(
      end,
      'This rule names no device: use id=, serial=, socket=, behind=, interface= or hash=.',
    );
  const devid = numberOf(said.get('controller'), 0, 65_535);
  const port = numberOf(said.get('port'), 1, 31);
  const followS = numberOf(said.get('follow'), 0, FOLLOW_MAX_S);
  const portWord = said.get('port');
  if (portWord && devid === undefined)
    throw new Refusal(portWord.column, 'A port needs its controller: add controller= too.');
  for (const key of isDeny ? ['controller', 'port', 'follow', 'every'] : []) {
    const word = said.get(key);
    if (word) throw new Refusal(word.column, `${key} has no meaning in a deny rule.`);
  }
  const name = said.get('name')?.value;
  return {
    mode: mode.value as Mode,
    guest: isUuid(guest.value) ? guest.value.toLowerCase() : guest.value,
    identity,
    every: said.has('every'),
    ...(devid === undefined ? {} : { devid }),
    ...(port === undefined ? {} : { port }),
    ...(followS === undefined ? {} : { followS }),
    ...(name === undefined ? {} : { name }),
  };
}

function isUuid(guest: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(guest);
}

/** What may be said of a device, and how it is read. Each gives the value, or undefined for one that makes no sense. */
const IDENTITY_KEYS: Readonly<Record<string, (value: string) => Identity | undefined>> = {
  id(value) {
    if (/^[0-9a-f]{4}:([0-9a-f]{4}|\*)$/i.test(value)) return { ids: value.toLowerCase() };
    // With a port before it, it is about a bus, whose number changes.
    const name = parseQubesName(value);
    return name?.busid === undefined ? name?.identity : undefined;
  },
  serial: (value) => (value.length <= TEXT_MAX ? { serial: value.trim() } : undefined),
  socket: (value) => (isSocket(value) ? { socket: value } : undefined),
  behind: (value) => (isSocket(value) ? { behind: value } : undefined),
  interface(value) {
    const patterns = value.toLowerCase().split(',');
    return patterns.every(isInterfacePattern) ? { interfaces: patterns } : undefined;
  },
  hash: (value) => (/^[A-Za-z0-9+/]{43}=$/.test(value) ? { hash: value } : undefined),
};

/** What else may be said. */
const OTHER_KEYS = ['controller', 'port', 'follow', 'name', 'every'];

// 08/06/50, 08/06/*, 08/*, 08.
function isInterfacePattern(text: string): boolean {
  return /^[0-9a-f]{2}(\/[0-9a-f]{2}(\/([0-9a-f]{2}|\*))?|\/\*(\/\*)?)?$/.test(text);
}

function saidBy(words: readonly Word[]): ReadonlyMap<string, Word> {
  const said = new Map<string, Word>();
  for (const word of words) {
    const key = word.key ?? (word.value === 'every' ? 'every' : undefined);
    if (key === undefined)
      throw new Refusal(
        word.column,
        `${quoted(word)} is not a setting: settings have the form id=46f4:0001.`,
      );
    if (word.key === 'every' || !(Object.hasOwn(IDENTITY_KEYS, key) || OTHER_KEYS.includes(key)))
      throw new Refusal(word.column, `There is no setting ${JSON.stringify(key)}.`);
    if (said.has(key)) throw new Refusal(word.column, `${key} is given twice.`);
    if (word.value.length > TEXT_MAX)
      throw new Refusal(word.column, `${key} has more than ${TEXT_MAX} characters.`);
    said.set(key, word);
  }
  return said;
}

const EXAMPLES: Readonly<Record<string, string>> = {
  id: '46f4:0001 or 46f4:*',
  socket: '0000:00:14.0/4.1',
  behind: '0000:00:14.0/4',
  interface: '08/06/50 or 03/*',
  hash: '44 characters of base64',
};

function identityOf(said: ReadonlyMap<string, Word>): Identity {
  let identity: Identity = {};
  for (const [key, read] of Object.entries(IDENTITY_KEYS)) {
    const word = said.get(key);
    if (!word) continue;
    const value = read(word.value);
    if (!value)
      throw new Refusal(
        word.column,
        `${quoted(word)} is not a value of ${key}: it is like ${EXAMPLES[key]}.`,
      );
    const twice = Object.keys(value).find((part) => part in identity);
    if (twice) throw new Refusal(word.column, `${key} repeats what id= already says.`);
    identity = { ...identity, ...value };
  }
  return identity;
}

function numberOf(word: Word | undefined, min: number, max: number): number | undefined {
  if (!word) return undefined;
  const number = /^(0|[1-9]\d{0,5})$/.test(word.value) ? Number(word.value) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw new Refusal(word.column, `${word.key}= takes a number from ${min} to ${max}, not ${quoted(word)}.`);
}

function quoted({ value }: Word): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}

/** A rule as a line of a file, without the newline. Read again it is the same rule. */
export function formatRule(rule: RuleBody): string {
  const { mode, guest, identity, every, devid, port, followS, name } = rule;
  const settings: readonly (readonly [string, string | number | undefined])[] = [
    ['id', identity.ids],
    ['serial', identity.serial],
    ['socket', identity.socket],
    ['behind', identity.behind],
    ['interface', identity.interfaces?.join(',')],
    ['hash', identity.hash],
    ['controller', devid],
    ['port', port],
    ['follow', followS],
    ['name', name],
  ];
  const said = settings.flatMap(([key, value]) =>
    value === undefined ? [] : `${key}=${formatWord(String(value))}`,
  );
  return [mode, formatWord(guest), ...said, ...(every ? ['every'] : [])].join(' ');
}
