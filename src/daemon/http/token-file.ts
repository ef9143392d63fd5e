/** The file of tokens: read again when it has changed, so that a token that was taken out is refused at once. */
import type { Stats } from 'node:fs';
import { chmod, constants, mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PvusbError } from '../../pvusb/index.js';
import { printable } from '../../sysfs/index.js';
import {
  formatToken,
  isTokenName,
  newToken,
  type ParsedTokens,
  parseTokens,
  type Token,
  type TokenFor,
} from './tokens.js';

/** Where the tokens are, unless told otherwise. */
export const TOKENS_PATH = '/etc/pvusb/tokens';

/** Longest file read, in bytes. */
const BYTES_MAX = 1_000_000;

/** Gives the tokens as they are now. */
export type Tokens = () => Promise<readonly Token[]>;

/**
 * Opens a file of tokens, which is looked at whenever somebody comes. A line that cannot be read is nobody's; a file
 * that cannot be read lets nobody in. `onProblem` is told once for each version of the file.
 */
export function openTokens(path: string, onProblem: (sentence: string) => void): Tokens {
  let known: { readonly version: string; readonly read: Promise<ParsedTokens> } | undefined;
  return async () => {
    const version = await versionOf(path);
    if (known?.version !== version) {
      known = { version, read: readTokens(path) };
      const { problems } = await known.read;
      for (const { line, message } of problems)
        onProblem(line === 0 ? message : `${path}:${line}: ${message}`);
    }
    return (await known.read).tokens;
  };
}

async function versionOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = await stat(path);
    return [dev, ino, size, mtimeMs, ctimeMs].join(' ');
  } catch (error) {
    return codeOf(error);
  }
}

async function readTokens(path: string): Promise<ParsedTokens> {
  const nobody = (message: string): ParsedTokens => ({ tokens: [], problems: [{ line: 0, message }] });
  try {
    // A pipe that nobody writes must not be waited for.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const why = notBelieved(path, await file.stat());
    return why === undefined
      ? parseTokens(await file.readFile('utf8'))
      : nobody(`${why}: no token is accepted.`);
  } catch (error) {
    return nobody(`${path} cannot be read (${codeOf(error)}): no token is accepted.`);
  }
}

/** Why a token file is not trusted: whoever can write it can let anyone in. `ownUid` is that of this process. */
export function notBelieved(
  path: string,
  found: Pick<Stats, 'size' | 'mode' | 'uid' | 'isFile'>,
  ownUid: number | undefined = process.getuid?.(),
): string | undefined {
  const { size, mode, uid } = found;
  if (!found.isFile()) return `${path} is not a regular file`;
  if (size > BYTES_MAX) return `${path} has more than ${BYTES_MAX} bytes`;
  if ((mode & 0o022) !== 0) return `${path} is writable by others`;
  return uid !== 0 && uid !== ownUid ? `${path} is owned by another user (uid ${uid})` : undefined;
}

/**
 * Makes a token and adds it to a file, which is made if there is none. The token is nowhere but in what is returned.
 *
 * @throws {PvusbError} `invalid-argument`: the name occurs, or the line would not be read; `invalid-configuration`: the
 *   file cannot be read or written
 */
export async function addToken(path: string, who: TokenFor): Promise<string> {
  const token = newToken();
  const line = formatToken(who, token);
  requireReadable(who, line);
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await using file = await open(path, 'a+', 0o600);
    const found = await file.stat();
    // Nor does adding a token here let in those whom others have added.
    const why = notBelieved(path, found);
    if (why !== undefined)
      throw new PvusbError('invalid-configuration', `${why}.`, {
        remedy:
          'Check its lines, then make root its owner and let nobody else write to it (chown root, chmod 600).',
      });
    const before = await file.readFile('utf8');
    const text = before === '' || before.endsWith('\n') ? before : `${before}\n`;
    const { problems } = parseTokens(`${text}${line}`);
    const last = text.split('\n').length;
    if (parseTokens(text).tokens.some(({ name }) => name === who.name))
      throw new PvusbError('invalid-argument', `${path} already has a token for ${who.name}.`, {
        remedy: 'Remove its line to revoke that token, or choose another name.',
      });
    const problem = problems.find((one) => one.line >= last);
    if (problem) throw new PvusbError('invalid-argument', problem.message);
    await file.appendFile(`${text.slice(before.length)}${line}\n`);
    if ((found.mode & 0o077) !== 0) await chmod(path, 0o600);
    return token;
  } catch (error) {
    if (error instanceof PvusbError) throw error;
    throw new PvusbError('invalid-configuration', `${path} cannot be changed (${codeOf(error)}).`, {
      cause: error,
    });
  }
}

/** A name may look like a comment, or contain a line feed. @throws {PvusbError} `invalid-argument` */
function requireReadable(who: TokenFor, line: string): void {
  if (!isTokenName(who.name))
    throw new PvusbError(
      'invalid-argument',
      `The name of a token has letters, digits and ._@-, at most 64 characters: not "${printable(who.name)}".`,
    );
  const { tokens, problems } = parseTokens(line);
  const textOf = ({ name, role, guests, devices }: TokenFor): string =>
    JSON.stringify([name, role, guests, devices]);
  if (problems.length === 0 && tokens.map(textOf).join() === textOf(who)) return;
  throw new PvusbError(
    'invalid-argument',
    problems[0]?.message ?? 'The name of a guest or device contains a blank or a "#".',
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
