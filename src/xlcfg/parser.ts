/** The statements of an xl.cfg file (xl.cfg(5), SYNTAX). */
import { decodeText } from './decode.js';
import { type OnWarning, type Position, quoted, XlCfgError } from './errors.js';
import { lexer, type Token } from './lexer.js';

/** A string or a number as it is in the file: a string with its quotes and backslashes. */
export interface XlCfgAtom {
  readonly kind: 'string' | 'number';
  readonly untrustedText: string;
  readonly position: Position;
}

/** A string or number; of several parts, in order, if `+=` has extended it. */
interface XlCfgScalar {
  readonly kind: 'scalar';
  readonly parts: readonly XlCfgAtom[];
  readonly position: Position;
}

/** A list; `+=` may have added items at its end. */
interface XlCfgList {
  readonly kind: 'list';
  readonly items: readonly XlCfgValue[];
  readonly position: Position;
}

/** The value of a setting. Strings are not unescaped until needed: see `unquote`. */
export type XlCfgValue = XlCfgScalar | XlCfgList;

/** The settings of a file by name, each as its last `=` and the `+=` after it leave it. */
export type XlCfgSettings = ReadonlyMap<string, XlCfgValue>;

type Growing<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer I)[] ? I[] : T[K] };
type GrowingValue = Growing<XlCfgScalar> | Growing<XlCfgList>;

/** How deep lists may be nested: xl.cfg needs two levels. */
const DEPTH_MAX = 32;

/**
 * Reads a whole file: settings that this product does not know are kept and not inspected.
 *
 * Rules (xl.cfg(5)): `name = value` or `name += value`, ended by a newline or `;`; a value is a number, a string or a
 * list; within a list newlines are blanks, and a comma may follow the last item. `+=` extends a string or list, and is
 * the same as `=` for a name that has no value yet. The last `=` of a name counts.
 *
 * @throws {XlCfgError} of the file and its syntax
 */
export function parseXlCfg(untrustedText: string | Uint8Array, onWarning?: OnWarning): XlCfgSettings {
  const next = lexer(decodeText(untrustedText), onWarning);
  const settings = new Map<string, GrowingValue>();
  for (let token = next(); token.kind !== 'end'; token = next()) {
    if (token.kind === 'newline' || token.kind === ';') continue;
    if (token.kind !== 'name') {
      throw new XlCfgError(
        'missing-name',
        token.position,
        `A setting begins with its name, not ${told(token)}.`,
      );
    }
    const operator = next();
    if (operator.kind !== '=' && operator.kind !== '+=') {
      const sentence = `After the name ${quoted(token.text)} comes = or +=, not ${told(operator)}.`;
      throw new XlCfgError('missing-operator', operator.position, sentence);
    }
    const value = parseValue(next(), next, 0);
    const end = next();
    if (end.kind !== 'newline' && end.kind !== ';' && end.kind !== 'end') {
      const sentence = `A setting ends with its line or with a semicolon: ${told(end)} does not belong here.`;
      throw new XlCfgError('missing-end', end.position, sentence);
    }
    const previous = settings.get(token.text);
    if (operator.kind === '=' || previous === undefined) settings.set(token.text, value);
    else append(previous, value);
    if (end.kind === 'end') break;
  }
  return settings;
}

function parseValue(token: Token, next: () => Token, depth: number): GrowingValue {
  const { kind, position } = token;
  if (kind === '[') return parseList(token, next, depth);
  if (kind !== 'string' && kind !== 'number') {
    const sentence = `A value is a number, a "string" or a [list], not ${told(token)}.`;
    throw new XlCfgError('missing-value', position, sentence);
  }
  return { kind: 'scalar', parts: [{ kind, untrustedText: token.text, position }], position };
}

function parseList(open: Token, next: () => Token, depth: number): GrowingValue {
  const { position } = open;
  if (depth === DEPTH_MAX) {
    throw new XlCfgError('too-deep', position, `Lists may be nested, but not ${DEPTH_MAX} deep.`);
  }
  const nextInList = (): Token => {
    let token = next();
    while (token.kind === 'newline') token = next();
    if (token.kind !== 'end') return token;
    throw new XlCfgError('unterminated-list', position, 'This list is not closed by ] before the file ends.');
  };
  const items: XlCfgValue[] = [];
  for (let token = nextInList(); token.kind !== ']'; ) {
    items.push(parseValue(token, next, depth + 1));
    token = nextInList();
    if (token.kind === ',') {
      token = nextInList();
    } else if (token.kind !== ']') {
      const sentence = `A comma or ] is missing before ${told(token)}: the list began in line ${position.line}.`;
      throw new XlCfgError('missing-comma', token.position, sentence);
    }
  }
  return { kind: 'list', items, position };
}

/** Extends a value in place: copying it would make many `+=` for one name quadratic. */
function append(previous: GrowingValue, value: GrowingValue): void {
  if (previous.kind === 'list' && value.kind === 'list') {
    for (const item of value.items) previous.items.push(item);
  } else if (previous.kind === 'scalar' && value.kind === 'scalar') {
    for (const part of value.parts) previous.parts.push(part);
  } else {
    const sentence =
      previous.kind === 'list'
        ? 'Only a list can be added to a list.'
        : 'A list cannot be added to a string.';
    throw new XlCfgError('append-mismatch', value.position, sentence);
  }
}

/** What a sentence calls a token. */
function told({ kind, text }: Token): string {
  if (kind === 'newline') return 'the end of the line';
  if (kind === 'end') return 'the end of the file';
  return kind === 'string' ? 'a string' : quoted(text);
}
