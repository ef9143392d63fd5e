/**
 * The lines of the audit's files. Each is a JSON object whose last field is its hash: SHA-256, in hexadecimal digits, of
 * the hash before it and of the line without that field. So nobody can change, remove or insert a line without changing
 * every line after it.
 */
import { createHash } from 'node:crypto';
import { UNSAFE } from '../sysfs/index.js';
import type { AuditEntry } from './entry.js';

/** Every line has these. */
interface Numbered {
  /** Counts from 1, without a gap, over all files. */
  readonly seq: number;
  /** UTC, `2026-11-28T12:00:00.000Z`. */
  readonly time: string;
}

/** The first line of a file. */
interface BeginLine extends Numbered {
  readonly line: 'begin';
  /** The hash that the chain goes on from; absent where it begins. */
  readonly after?: string | undefined;
  /** Why it begins, if files are there that it cannot go on from. */
  readonly why?: string | undefined;
}

/** A change. */
export interface ChangeLine extends Numbered, AuditEntry {
  readonly line: 'change';
}

/** The line before this one is the beginning of one that was being written when the machine or the process ended. */
interface TornLine extends Numbered {
  readonly line: 'torn';
  /** How long it is, and its hash. */
  readonly bytes: number;
  readonly sha256: string;
}

/** A line. */
export type AuditLine = BeginLine | ChangeLine | TornLine;

/** A line that has been read, with the hash that it carries. */
export interface ReadLine {
  readonly record: AuditLine;
  readonly hash: string;
  /** What the hash is of, besides the hash before. */
  readonly text: string;
}

/** Longest line, in bytes; of a longer change the steps, the request and the result are left out. */
export const LINE_MAX = 256 * 1024;

/** Where there was no hash before. */
export const NO_HASH = '';

const HASHED = /^(\{.*),"hash":"([0-9a-f]{64})"\}$/su;

/** SHA-256 of some texts or bytes, in hexadecimal digits. */
export function sha256(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** A line with its hash, and the hash; it ends with a line feed. */
export function formatLine(
  record: AuditLine,
  before: string,
): { readonly bytes: Buffer; readonly hash: string } {
  let text = escapedJson(record);
  if (Buffer.byteLength(text) > LINE_MAX && record.line === 'change') text = escapedJson(shortened(record));
  const hash = sha256(before, text);
  return { bytes: Buffer.from(`${text.slice(0, -1)},"hash":"${hash}"}\n`), hash };
}

/** Without what may be long; whoever and whatever is known by other limits. */
function shortened(record: ChangeLine): ChangeLine & { readonly leftOut: readonly string[] } {
  const { seq, time, line, who, what, operation, error } = record;
  const cut = (text: string): string => text.slice(0, 1000);
  return {
    ...{ line, seq, time, what: cut(what), request: null, steps: [] },
    who: { ...who, name: cut(who.name) },
    ...(operation === undefined ? {} : { operation: cut(operation) }),
    ...(error === undefined ? {} : { error: { code: error.code, message: cut(error.message) } }),
    leftOut: ['request', 'steps', 'result', 'why', 'guests', 'devices'],
  };
}

/** JSON on one line. What could steer a terminal is an escape in it, so that the file can be looked at with any program. */
function escapedJson(data: unknown): string {
  return JSON.stringify(data).replace(UNSAFE, (character) => {
    const units = Array.from({ length: character.length }, (_, k) => character.charCodeAt(k));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
  });
}

/** Reads a line, without its line feed; undefined if it is none. Its hash is not checked. */
export function parseLine(untrustedText: string): ReadLine | undefined {
  const [, start, hash] = HASHED.exec(untrustedText) ?? [];
  if (start === undefined || hash === undefined) return undefined;
  const text = `${start}}`;
  try {
    const record: unknown = JSON.parse(text);
    return isLine(record) ? { record, hash, text } : undefined;
  } catch {
    return undefined;
  }
}

function isLine(record: unknown): record is AuditLine {
  if (typeof record !== 'object' || record === null) return false;
  const { line, seq, time } = record as Partial<Record<string, unknown>>;
  return (
    ['begin', 'change', 'torn'].includes(line as string) &&
    Number.isSafeInteger(seq) &&
    typeof time === 'string'
  );
}
