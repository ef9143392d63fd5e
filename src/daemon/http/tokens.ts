/** Who may come by TCP: tokens, of which only the SHA-256 is kept. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Role } from '../../api/index.js';

/** The roles, the least first. */
export const ROLES: readonly Role[] = ['viewer', 'operator', 'admin'];

/** Somebody who may come. */
export interface Token {
  readonly name: string;
  readonly role: Role;
  readonly sha256: Buffer;
  /** An operator's guests, by name or uuid; all unless given. */
  readonly guests?: readonly string[] | undefined;
  /** An operator's devices, by busid or ids; all unless given. */
  readonly devices?: readonly string[] | undefined;
}

/** A line that cannot be read: a sentence that is safe to print. */
interface TokenProblem {
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

/** What a file of tokens says. */
export interface ParsedTokens {
  readonly tokens: readonly Token[];
  readonly problems: readonly TokenProblem[];
}

const NAME = /^[\w.@-]{1,64}$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** More tokens than anyone gives out: each is compared with what a request brings. */
const TOKENS_MAX = 1_000;

/**
 * Parses a file of tokens: a line for each, `NAME ROLE SHA256 [guests=A,B] [devices=X,Y]`; `#` begins a comment. A name
 * may occur once.
 */
export function parseTokens(untrustedText: string): ParsedTokens {
  const tokens: Token[] = [];
  const problems: TokenProblem[] = [];
  for (const [at, text] of untrustedText.split(/\r?\n/).entries()) {
    const words = text.replace(/(^|\s)#.*/, '').trim();
    if (words === '') continue;
    const token = parseLine(words.split(/\s+/));
    const problem = typeof token === 'string' ? token : problemAmong(tokens, token);
    if (problem !== undefined) problems.push({ line: at + 1, message: problem });
    else if (typeof token !== 'string') tokens.push(token);
  }
  return { tokens, problems };
}

/** Whether somebody can have this name in a file of tokens. */
export function isTokenName(untrustedName: string): boolean {
  return NAME.test(untrustedName);
}

/** A token, or what is wrong: no word of the line, since it may be a secret. */
function parseLine([name = '', role = '', sha256 = '', ...rest]: readonly string[]): Token | string {
  if (!NAME.test(name)) return 'The name has letters, digits and ._@-, at most 64 characters.';
  const known = ROLES.find((one) => one === role);
  if (!known) return `The role, the second word, is one of ${ROLES.join(', ')}.`;
  if (!SHA256.test(sha256)) return 'The third word is the SHA-256 of the token, 64 digits from 0-9a-f.';
  const limits: { guests?: readonly string[]; devices?: readonly string[] } = {};
  for (const word of rest) {
    const [, key, values] = /^(guests|devices)=(.+)$/.exec(word) ?? [];
    if (key !== 'guests' && key !== 'devices') return 'Only guests=A,B and devices=X,Y may follow.';
    if (limits[key]) return `${key} is given twice.`;
    const list = values!.split(',');
    if (list.includes('')) return `${key} has an empty name.`;
    limits[key] = list;
  }
  if (known !== 'operator' && rest.length > 0)
    return 'Only an operator can be restricted to guests and devices.';
  return { name, role: known, sha256: Buffer.from(sha256, 'hex'), ...limits };
}

function problemAmong(tokens: readonly Token[], { name, sha256 }: Token): string | undefined {
  if (tokens.length >= TOKENS_MAX) return `There are more than ${TOKENS_MAX} tokens.`;
  if (tokens.some((other) => other.name === name)) return 'That name is already used above.';
  return tokens.some((other) => other.sha256.equals(sha256))
    ? 'That token is already used above.'
    : undefined;
}

/** Whose token this is. Takes as long whichever it is, and if it is nobody's. */
export function tokenOf(tokens: readonly Token[], untrustedToken: string): Token | undefined {
  const sha256 = hashOf(untrustedToken);
  return tokens.reduce<Token | undefined>(
    (found, token) => (timingSafeEqual(token.sha256, sha256) ? token : found),
    undefined,
  );
}

/** The token in a header `Authorization`; undefined when there is none. */
export function bearerIn(untrustedHeader: string | undefined): string | undefined {
  return /^Bearer +([\w.~+/-]{1,512}=*) *$/i.exec(untrustedHeader ?? '')?.[1];
}

/** A new token: 256 bits that nobody can guess. */
export function newToken(): string {
  return `pvusb_${randomBytes(32).toString('base64url')}`;
}

/** Who a token is for. */
export type TokenFor = Omit<Token, 'sha256'>;

/** The line of the file for a token. */
export function formatToken({ name, role, guests, devices }: TokenFor, token: string): string {
  const limits = [
    ...(guests ? [`guests=${guests.join(',')}`] : []),
    ...(devices ? [`devices=${devices.join(',')}`] : []),
  ];
  return [name, role, hashOf(token).toString('hex'), ...limits].join(' ');
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
