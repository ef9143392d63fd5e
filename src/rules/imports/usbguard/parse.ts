/** Files of USBGuard's rules (usbguard-rules.conf(5)): what USBGuard 1.1.2 reads is read, what it refuses is refused. */
import type { RuleProblem } from '../../rule.js';
import { bytesOf, charactersIn, type ForeignFile, quotedBytes, tooLong } from '../text.js';
import { checkCondition } from './condition.js';
import {
  ATTRIBUTES,
  type Attribute,
  type AttributeName,
  isText,
  OPERATORS,
  type Operator,
  TARGETS,
  type Target,
  type UsbGuardRule,
} from './rule.js';

/** A line of a file that is not empty. */
export interface UsbGuardLine {
  readonly line: number;
  /** As it is in the file: bytes, each of which is a character. */
  readonly untrustedBytes: string;
  /** Absent for a comment. */
  readonly rule?: UsbGuardRule;
  /** Where in the line they begin, in bytes. */
  readonly offsets: Offsets;
}

/** Where the target and the attributes of a rule begin. */
type Offsets = ReadonlyMap<AttributeName | 'target', number>;

/** What a file says. USBGuard does not start with a file that has a problem. */
interface UsbGuardFile {
  readonly lines: readonly UsbGuardLine[];
  readonly problems: readonly RuleProblem[];
}

/** Reads a file. */
export function parseUsbGuard(file: ForeignFile): UsbGuardFile {
  const { path } = file;
  const long = tooLong(file);
  if (long) return { lines: [], problems: [long] };
  const lines: UsbGuardLine[] = [];
  const problems: RuleProblem[] = [];
  for (const [index, untrustedBytes] of bytesOf(file.untrustedContent).split('\n').entries()) {
    if (untrustedBytes === '') continue;
    const read = parseUsbGuardLine(untrustedBytes);
    const line = index + 1;
    if ('message' in read) {
      const column = charactersIn(untrustedBytes.slice(0, read.offset)) + 1;
      problems.push({ file: path, line, column, message: read.message });
    } else lines.push({ line, untrustedBytes, ...read });
  }
  return { lines, problems };
}

/** Ends the reading of a line. */
class Refusal extends Error {
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

type ReadLine =
  | { readonly rule?: UsbGuardRule; readonly offsets: Offsets }
  | { readonly offset: number; readonly message: string };

/** Reads a line, without its newline, given as bytes, each of which is a character. No rule: a comment. */
export function parseUsbGuardLine(untrustedBytes: string): ReadLine {
  try {
    const reader = new LineReader(untrustedBytes);
    const rule = reader.read();
    return { ...(rule === undefined ? {} : { rule }), offsets: reader.offsets };
  } catch (error) {
    if (error instanceof Refusal) return { offset: error.offset, message: error.message };
    throw error;
  }
}

const COMMENT = /[ \t]*#.*/sy;
const BLANKS = /[ \t]+/y;
const SOME_BLANKS = /[ \t]*/y;
const OPEN = /\{/y;
const CLOSE = /\}/y;
const TARGET = new RegExp(TARGETS.join('|'), 'y');
const NAME = new RegExp([...ATTRIBUTES].sort((one, other) => other.length - one.length).join('|'), 'y');
const OPERATOR = new RegExp(OPERATORS.join('|'), 'y');
const ID = /(?:[0-9a-f]{4}|\*):(?:[0-9a-f]{4}|\*)/iy;
const INTERFACE = /[0-9a-f]{2}:(?:[0-9a-f]{2}|\*):(?:[0-9a-f]{2}|\*)/iy;
const CONDITION = /(!?)([a-z-][a-z0-9-]*)/iy;
const STRING = /"((?:[^"\\\r\n]|\\["\\]|\\x[0-9a-f]{2})*)"/iy;
/** What is between parentheses is only looked through for its end. */
const PARAMETER = /\(((?:[^)\\\r\n]|\\(?:x[0-9a-f]{2}|\d{1,3}|[abfnrtv\\'\n)]))*)\)/y;

/** An attribute as far as it is read. */
interface Found {
  readonly operator: Operator | undefined;
  readonly values: string[];
}

/**
 * Reads one line from left to right. What USBGuard tries and gives up again never ends in another way to read the line,
 * so there is one way only; the error is about the farthest place that was reached.
 */
class LineReader {
  readonly offsets = new Map<AttributeName | 'target', number>();
  readonly #text: string;
  readonly #attributes = new Map<AttributeName, Found>();
  #at = 0;
  #farthest = 0;
  #wanted: string[] = [];

  constructor(untrustedBytes: string) {
    this.#text = untrustedBytes;
  }

  read(): UsbGuardRule | undefined {
    let target: Target | undefined;
    // 1.1.2 reads rules that follow each other without a blank as one rule, whose target is the last.
    while (this.#at < this.#text.length) {
      if (this.#take(COMMENT, '# and a comment')) break;
      this.offsets.set('target', this.#at);
      const word = this.#take(TARGET, TARGETS.slice(0, 3).join(', '))?.[0];
      if (word === undefined) throw this.#refusal();
      target = word as Target;
      this.#bareId();
      this.#list();
    }
    if (target === undefined) return undefined;
    const attributes = [...this.#attributes].map(
      ([name, { operator = 'equals', values }]): [AttributeName, Attribute] => [name, { operator, values }],
    );
    return { target, attributes: new Map(attributes) };
  }

  /** An id right behind the target. */
  #bareId(): void {
    const begin = this.#at;
    const id = this.#take(BLANKS, 'a blank') && this.#id();
    if (id) this.offsets.set('id', this.#at - id.length);
    else {
      this.#at = begin;
      return;
    }
    const before = this.#attributes.get('id');
    if (before && before.values.length > 1)
      throw new Refusal(begin, 'USBGuard cannot change several ids into one.');
    this.#attributes.set('id', { operator: before?.operator, values: [id] });
  }

  #list(): void {
    for (;;) {
      const begin = this.#at;
      if (this.#take(BLANKS, 'a blank') && this.#attribute()) continue;
      this.#at = begin;
      return;
    }
  }

  #attribute(): boolean {
    const begin = this.#at;
    const name = this.#take(NAME, 'an attribute (id, serial, with-interface, ...)')?.[0] as
      | AttributeName
      | undefined;
    if (name === undefined) return false;
    const before = this.#attributes.get(name);
    // For labels USBGuard forgets to look.
    if (before && name !== 'label') throw new Refusal(begin, `${name} is given twice.`);
    if (!this.#take(BLANKS, 'a blank')) return false;
    const found = this.#set(name) ?? this.#single(name);
    if (!found) return false;
    if (!before) this.offsets.set(name, begin);
    // In place: copying would make many labels quadratic.
    for (const value of found.values) before?.values.push(value);
    const operator = found.operator ?? before?.operator;
    this.#attributes.set(name, { operator, values: before?.values ?? found.values });
    return true;
  }

  #single(name: AttributeName): Found | undefined {
    const value = this.#value(name);
    return value === undefined ? undefined : { operator: undefined, values: [value] };
  }

  /** Values in braces, perhaps after an operator. */
  #set(name: AttributeName): Found | undefined {
    const begin = this.#at;
    const operator = this.#take(OPERATOR, 'an operator (one-of, ...)')?.[0] as Operator | undefined;
    const isApart = operator === undefined || this.#take(BLANKS, 'a blank');
    if (!isApart || !this.#take(OPEN, '{')) {
      this.#at = begin;
      return undefined;
    }
    const values: string[] = [];
    this.#take(SOME_BLANKS, '');
    for (;;) {
      const value = this.#value(name);
      if (value === undefined) break;
      values.push(value);
      const isMore = this.#take(BLANKS, 'a blank');
      if (this.#take(CLOSE, '}')) return { operator, values };
      if (!isMore) break;
    }
    throw this.#refusal();
  }

  #value(name: AttributeName): string | undefined {
    if (name === 'id') return this.#id();
    if (name === 'with-interface') return this.#interface();
    return isText(name) ? this.#string() : this.#condition();
  }

  #id(): string | undefined {
    const begin = this.#at;
    const id = this.#take(ID, 'an id (1234:abcd, 1234:* or *:*)')?.[0];
    if (id?.startsWith('*') && id !== '*:*')
      throw new Refusal(begin, 'USBGuard has no ids with a product and without a vendor.');
    return id;
  }

  #interface(): string | undefined {
    const begin = this.#at;
    const type = this.#take(INTERFACE, 'an interface (08:06:50, 08:06:* or 08:*:*)')?.[0];
    if (type && /:\*:[^*]/.test(type))
      throw new Refusal(begin, 'USBGuard has no interfaces with a protocol and without a subclass.');
    return type?.toLowerCase();
  }

  #string(): string | undefined {
    const begin = this.#at;
    if (this.#text[begin] !== '"') {
      this.#missing(begin, 'a "string"');
      return undefined;
    }
    const inner = this.#take(STRING, '')?.[1];
    if (inner === undefined)
      throw new Refusal(
        begin,
        'This string is not closed by ", or has a \\ before something other than ", \\ or x and two digits.',
      );
    return inner.replace(/\\(?:x(..)|(.))/g, (_, hex: string | undefined, one: string) =>
      hex === undefined ? one : String.fromCharCode(Number.parseInt(hex, 16)),
    );
  }

  #condition(): string | undefined {
    const begin = this.#at;
    const [, not, name] = this.#take(CONDITION, 'a condition (true, localtime, ...)') ?? [];
    if (name === undefined) return undefined;
    const hasParameter = this.#text[this.#at] === '(';
    const parameter = hasParameter ? this.#take(PARAMETER, '')?.[1] : undefined;
    if (hasParameter && parameter === undefined)
      throw new Refusal(this.#at, 'This parenthesis is not closed by ), or has a wrong \\ in it.');
    const isMatch = (spec: string): boolean => !('message' in parseUsbGuardLine(`allow ${spec}`));
    const checked = checkCondition(name, parameter, not === '!', isMatch);
    if ('fault' in checked) throw new Refusal(begin, `USBGuard ${checked.fault}.`);
    return checked.text;
  }

  #take(pattern: RegExp, what: string): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found) this.#at = pattern.lastIndex;
    else this.#missing(this.#at, what);
    return found ?? undefined;
  }

  #missing(at: number, what: string): void {
    if (at > this.#farthest) this.#wanted = [];
    if (at < this.#farthest) return;
    this.#farthest = at;
    if (!this.#wanted.includes(what)) this.#wanted.push(what);
  }

  #refusal(): Refusal {
    const at = this.#farthest;
    const rest = this.#text.slice(at);
    const wanted = this.#wanted.filter((what) => what !== '').join(', or ');
    const told = rest === '' ? 'the end of the line' : quotedBytes(rest);
    return new Refusal(at, `USBGuard wants ${wanted || 'something else'} here, not ${told}.`);
  }
}
