/** Where a daemon is, as the command line says it. */
import { type Daemon, type DaemonAddress, openDaemon } from '../../client/index.js';
import { quoteWord } from '../printable.js';
import { usageError } from '../report.js';
import { readBytes } from '../settings-file.js';
import type { Terminal } from '../terminal.js';

/** Where the API is on its own host, unless told otherwise. */
const API_SOCKET = '/run/pvusb/api.sock';

/** How a daemon elsewhere is reached. */
export interface AddressOptions {
  /** `https://usb.example:8443`, `unix:/run/pvusb/api.sock`. */
  readonly host: string;
  /** A file that holds the token; otherwise it is in the environment. */
  readonly tokenFile?: string | undefined;
  /** A file of certificates that are trusted instead of those of the system. */
  readonly ca?: string | undefined;
}

/** The path of the socket of the daemon on this host. */
export function apiSocketOf(env: Terminal['env'], said?: string): string {
  return said || env.PVUSB_API_SOCKET || API_SOCKET;
}

/** The daemon that a command speaks to anyway: the one that was named, otherwise that of this host. */
export function daemonOf({ daemon, env }: Terminal): Daemon {
  return daemon ?? openDaemon({ socketPath: apiSocketOf(env) });
}

/**
 * A client of the daemon that was named. Nothing is sent yet.
 *
 * @throws {PvusbError} `invalid-argument`: that is no address, or the token is missing; `invalid-configuration`: a file
 *   cannot be read
 */
export async function openNamedDaemon(options: AddressOptions, env: Terminal['env']): Promise<Daemon> {
  return openDaemon(await addressOf(options, env));
}

async function addressOf(
  { host, tokenFile, ca }: AddressOptions,
  env: Terminal['env'],
): Promise<DaemonAddress> {
  const [, socketPath] = /^unix:(?:\/\/)?(\/.*)$/s.exec(host) ?? [];
  if (socketPath !== undefined) return { socketPath };
  if (!/^https?:\/\//i.test(host))
    throw usageError(
      `A daemon is named like https://usb.example:8443 or unix:${API_SOCKET}, not ${quoteWord(host)}.`,
      'pvusb',
    );
  const token = await tokenOf(tokenFile, env);
  return { url: host, token, ...(ca === undefined ? {} : { ca: await readBytes(ca) }) };
}

async function tokenOf(path: string | undefined, { PVUSB_TOKEN }: Terminal['env']): Promise<string> {
  const token = (path === undefined ? (PVUSB_TOKEN ?? '') : (await readBytes(path)).toString('utf8')).trim();
  // It becomes a header: nothing but what "pvusb token" makes.
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  const sentence =
    path === undefined && token === ''
      ? 'A daemon at a URL needs a token: in PVUSB_TOKEN, or in the file that --token-file names.'
      : `${path === undefined ? 'PVUSB_TOKEN' : quoteWord(path)} does not hold a token.`;
  throw usageError(sentence, 'pvusb');
}
