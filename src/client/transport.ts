/** HTTP requests to a daemon, by a Unix socket or by TCP. */
import {
  type ClientRequest,
  type IncomingMessage,
  request as overHttp,
  type RequestOptions,
} from 'node:http';
import { request as overTls } from 'node:https';
import { PvusbError } from '../pvusb/index.js';

/** Where a daemon is. */
export type DaemonAddress =
  /** Its Unix socket: the kernel identifies the caller. */
  | { readonly socketPath: string }
  /** Its URL, `https://usb.example:8443`, and a token. */
  | {
      readonly url: string;
      readonly token: string;
      /** Certificates, in PEM, to trust instead of the system's. */
      readonly ca?: string | Buffer | undefined;
    };

/** A request. */
interface Sent {
  readonly method: string;
  readonly path: string;
  /** JSON; none for a GET. */
  readonly body?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Sends requests to one daemon. */
export type Transport = (sent: Sent) => Promise<IncomingMessage>;

/**
 * Makes requests to a daemon. Nothing is sent yet.
 *
 * @throws {PvusbError} `invalid-argument`: the URL is none, or would send the token in the clear
 */
export function transportTo(address: DaemonAddress): Transport {
  const { options, send, name } = targetOf(address);
  return ({ method, path, body, headers, signal }) =>
    new Promise((resolve, reject) => {
      const fail = (error: unknown): void => reject(failure(error, name, signal));
      try {
        const type = body === undefined ? {} : { 'Content-Type': 'application/json' };
        const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
        const sending = send({
          ...options,
          method,
          path,
          headers: { ...options.headers, ...type, ...length, ...headers },
          signal,
        });
        sending.once('response', resolve);
        sending.on('error', fail);
        sending.end(body);
      } catch (error) {
        fail(error);
      }
    });
}

/** What went wrong with a connection, as one of our errors. */
export function failure(error: unknown, name: string, signal?: AbortSignal): PvusbError {
  if (error instanceof PvusbError) return error;
  if (signal?.aborted) return new PvusbError('aborted', 'The request was aborted.', { cause: error });
  const why = error instanceof Error ? ('code' in error ? String(error.code) : error.message) : String(error);
  if (why === 'EPROTO')
    return new PvusbError('daemon-unreachable', `${name} does not speak TLS (${why}).`, {
      cause: error,
      remedy: 'Use http:// if it is on this machine, or start the daemon with --tls-cert and --tls-key.',
    });
  return new PvusbError('daemon-unreachable', `${name} does not answer (${why}).`, { cause: error });
}

interface Target {
  readonly options: RequestOptions & { readonly ca?: string | Buffer | undefined };
  readonly send: (options: RequestOptions) => ClientRequest;
  readonly name: string;
}

function targetOf(address: DaemonAddress): Target {
  if ('socketPath' in address) {
    const { socketPath } = address;
    // A socket has no name to be called by: what is said here is not looked at.
    const options = { socketPath, headers: { Host: 'pvusb' }, agent: false } as const;
    return { options, send: overHttp, name: `The daemon at ${socketPath}` };
  }
  const { url: text, token, ca } = address;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url?.protocol === 'http:';
  if (!url || (!isPlain && url.protocol !== 'https:') || url.pathname !== '/')
    throw new PvusbError('invalid-argument', `${JSON.stringify(text)} is not like https://usb.example:8443.`);
  if (isPlain && !/^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname))
    throw new PvusbError('invalid-argument', `${url.host} needs https: the token would be sent unencrypted.`);
  const options = {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (isPlain ? 80 : 443) : Number(url.port),
    headers: { Authorization: `Bearer ${token}` },
    agent: false,
    ...(ca === undefined ? {} : { ca }),
  } as const;
  return { options, send: isPlain ? overHttp : overTls, name: `The daemon at ${url.host}` };
}
