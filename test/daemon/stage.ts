/** The API on a simulated host, at a Unix socket whose peers a test names, and at a TCP port with tokens. */
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, request as overHttp } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Daemon, openDaemon } from '../../src/client/index.js';
import {
  type ApiLimits,
  type ApiOptions,
  type ApiServer,
  type AuditReader,
  type Door,
  openApi,
  type Page,
} from '../../src/daemon/http/index.js';
import { formatToken, parseTokens } from '../../src/daemon/http/tokens.js';
import type { Peer } from '../../src/linux/peer.js';
import { labWorld, type World } from '../../src/sim/index.js';
import { type SimulatedHost, simulatedHost } from '../../src/testing/index.js';
import { serviceOf, type TestService } from '../support/service.js';

/** Tokens by the names of who has them. */
export const TOKENS = {
  viewer: 'viewers-token',
  all: 'operators-token',
  u1: 'operator-of-u1',
  stick: 'operator-of-a-stick',
  admin: 'admins-token',
} as const;

const LINES = [
  formatToken({ name: 'viewer', role: 'viewer' }, TOKENS.viewer),
  formatToken({ name: 'all', role: 'operator' }, TOKENS.all),
  formatToken({ name: 'u1', role: 'operator', guests: ['u1'] }, TOKENS.u1),
  formatToken({ name: 'stick', role: 'operator', devices: ['46f4:0001:LAB0001'] }, TOKENS.stick),
  formatToken({ name: 'admin', role: 'admin' }, TOKENS.admin),
];

/** The name by which the TCP port may be called. */
export const HOST = 'usb.example';

/** A group whose members are operators of u1. */
export const GROUP = 100;

/** A raw answer. */
interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

/** What is sent. */
interface RawRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** The API, and what it serves. */
export interface ApiStage extends AsyncDisposable {
  readonly host: SimulatedHost;
  readonly service: TestService;
  readonly socketPath: string;
  readonly port: number;
  /** Who comes to the Unix socket from now on. */
  peer: Peer | undefined;
  /** The lines of the file of tokens. */
  tokens: readonly string[];
  /** Reading that file takes until this is settled. */
  tokensRead: Promise<void> | undefined;
  readonly faults: unknown[];
  /** A client at the Unix socket. */
  readonly root: Daemon;
  /** A client at the TCP port, through which the name of the daemon is kept. */
  raw(request: RawRequest): Promise<RawAnswer>;
  /** The same with a token, and the answer as data. */
  as(
    who: keyof typeof TOKENS,
    request: RawRequest,
  ): Promise<{ readonly status: number; readonly data: unknown }>;
}

/** Somebody without rights. */
export const NOBODY: Peer = { pid: 1, uid: 65_534, gid: 65_534, groups: [] };
const ROOT: Peer = { pid: 1, uid: 0, gid: 0, groups: [] };

/** Serves a world; by default the recorded one. */
export async function apiStage(
  limits: Partial<ApiLimits> = {},
  world: World = labWorld(),
): Promise<ApiStage> {
  const host = await simulatedHost(world);
  const service = serviceOf(host);
  const dir = mkdtempSync(join(tmpdir(), 'pvusb-api-'));
  const socketPath = join(dir, 'api.sock');
  const faults: unknown[] = [];
  const stage = {
    peer: ROOT as Peer | undefined,
    tokens: LINES as readonly string[],
    tokensRead: undefined as Promise<void> | undefined,
  };
  const audit: AuditReader = async ({ limit = 100 }) => [{ what: 'attach', number: 1 }].slice(0, limit);
  const doors: readonly Door[] = [
    {
      kind: 'unix',
      listen: { path: socketPath },
      peerOf() {
        if (stage.peer) return stage.peer;
        throw new Error('The kernel does not say.');
      },
      group: { gid: GROUP, role: 'operator', guests: ['u1'] },
    },
    {
      kind: 'tcp',
      listen: { host: '127.0.0.1', port: 0 },
      async tokens() {
        await stage.tokensRead;
        return parseTokens(stage.tokens.join('\n')).tokens;
      },
      hosts: [HOST],
    },
  ];
  const page: Page = new Map([['/app.js', { type: 'text/javascript', body: Buffer.from('// page') }]]);
  const options: ApiOptions = {
    service,
    audit,
    version: '0.0.0',
    usbIds: [],
    limits,
    page,
    onFault: (error) => faults.push(error),
    doors,
  };
  const api: ApiServer = await openApi(options);
  const { port } = api.addresses[1] as AddressInfo;
  const raw = (request: RawRequest): Promise<RawAnswer> => sendRaw(port, request);
  return Object.assign(stage, {
    host,
    service,
    socketPath,
    port,
    faults,
    root: openDaemon({ socketPath }),
    raw,
    async as(who: keyof typeof TOKENS, request: RawRequest) {
      const headers = {
        Authorization: `Bearer ${TOKENS[who]}`,
        ...(request.method === 'POST' ? { 'Content-Type': 'application/json' } : {}),
        ...request.headers,
      };
      const { status, text } = await raw({ ...request, headers });
      return { status, data: JSON.parse(text) as unknown };
    },
    async [Symbol.asyncDispose]() {
      await api.close();
      await host.close();
      rmSync(dir, { recursive: true });
    },
  });
}

/** Sends a request as it is. */
function sendRaw(port: number, { method = 'GET', path, headers = {}, body }: RawRequest): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const sending = overHttp({
      port,
      host: '127.0.0.1',
      method,
      path,
      headers: { Host: HOST, ...headers },
      agent: false,
    });
    sending.once('error', reject);
    sending.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
      response.once('error', reject);
    });
    sending.end(body);
  });
}
