/** A SPEC: the comma separated `key=value` of one controller or device. */
import { type Position, quoted, XlCfgError, type XlCfgErrorCode } from './errors.js';
import type { XlCfgSettings, XlCfgValue } from './parser.js';
import { type Unquoted, unquote } from './unquote.js';

/** The value of a key, and how to refuse it. */
export interface SpecValue {
  readonly untrustedText: string;
  /** Throws an {@link XlCfgError} at the value. */
  refuse(code: XlCfgErrorCode, sentence: string): never;
}

/** A SPEC: its position (the opening quote) and the last value of each of its keys. */
export interface Spec<K extends string> {
  readonly position: Position;
  readonly values: ReadonlyMap<K, SpecValue>;
}

/**
 * The SPECs of a setting; none when the file does not have it.
 *
 * Split as in xl: at commas; nothing between two commas is ignored; spaces before a key do not count, those before
 * `=` do. The last value of a repeated key counts. An empty SPEC has no keys.
 *
 * @throws {XlCfgError} `not-a-list`, `not-a-string`, `bad-escape`, `unknown-key`
 */
export function specsOf<K extends string>(
  settings: XlCfgSettings,
  name: string,
  keys: readonly K[],
): Spec<K>[] {
  const value = settings.get(name);
  if (value === undefined) return [];
  if (value.kind !== 'list') {
    throw new XlCfgError('not-a-list', value.position, `${name} is a list: write it in brackets.`);
  }
  return value.items.map((item) => parseSpec(item, name, keys));
}

function parseSpec<K extends string>(item: XlCfgValue, name: string, keys: readonly K[]): Spec<K> {
  const atom = item.kind === 'scalar' ? item.parts[0]! : undefined;
  if (atom?.kind !== 'string') {
    throw new XlCfgError(
      'not-a-string',
      item.position,
      `An item of ${name} is a string: write it in quotes.`,
    );
  }
  const unquoted = unquote(atom);
  const values = new Map<K, SpecValue>();
  let start = 0;
  for (const untrustedPart of unquoted.untrustedText.split(',')) {
    if (untrustedPart !== '') {
      const [key, value] = parsePart(untrustedPart, start, unquoted, name, keys);
      values.set(key, value);
    }
    start += untrustedPart.length + 1;
  }
  return { position: atom.position, values };
}

function parsePart<K extends string>(
  untrustedPart: string,
  start: number,
  unquoted: Unquoted,
  name: string,
  keys: readonly K[],
): [K, SpecValue] {
  let keyAt = 0;
  while (untrustedPart[keyAt] === ' ') keyAt++;
  const equals = untrustedPart.indexOf('=', keyAt);
  const key = keys.find((known) => equals !== -1 && known === untrustedPart.slice(keyAt, equals));
  if (key === undefined) {
    const written = quoted(untrustedPart.slice(keyAt));
    const sentence = `Unknown string ${written} in a ${name} specification: it has ${keys.join(', ')}.`;
    throw new XlCfgError('unknown-key', unquoted.positionAt(start + keyAt), sentence);
  }
  // Finding a position means walking from the beginning of the string: it is done only when needed.
  const refuse = (code: XlCfgErrorCode, sentence: string): never => {
    throw new XlCfgError(code, unquoted.positionAt(start + equals + 1), sentence);
  };
  return [key, { untrustedText: untrustedPart.slice(equals + 1), refuse }];
}
