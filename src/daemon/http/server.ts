/** The HTTP server of the API, at one door or several. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type RequestOf, ROUTES, type Route, type RouteName } from '../../api/index.js';
import { PvusbError } from '../../pvusb/index.js';
import { printableJsonText } from '../../sysfs/index.js';
import type { Actor } from '../service.js';
import { requireRole } from './access.js';
import type { ApiParts, Ask } from './ask.js';
import { Counters } from './counters.js';
import { Deadlines } from './deadlines.js';
import {
  authenticate,
  type Connected,
  connectedTo,
  type Door,
  requireOwnPage,
  requireSameOrigin,
} from './doors.js';
import { CHANGING } from './handlers/changing.js';
import { READING } from './handlers/reading.js';
import { parseRequest, readBody, routeFor, targetOf } from './incoming.js';
import { listenAt } from './listen.js';
import { formatMetrics } from './metrics.js';
import { HEADERS, type Page, servePage } from './page.js';
import { problemAnswer } from './problem.js';
import { EventStreams, type StreamLimits } from './streams.js';

/** Limits of the server, for each door. */
export interface ApiLimits extends StreamLimits {
  /** Connections at a time; more are closed at once. */
  readonly connections: number;
  /** How long a client may take to say what it wants, to send the body, and to read the answer. */
  readonly headersMs: number;
  readonly bodyMs: number;
  readonly answerMs: number;
  /** How long a connection may do nothing after an answer. */
  readonly idleMs: number;
  readonly bodyBytes: number;
}

const LIMITS: ApiLimits = {
  connections: 256,
  headersMs: 10_000,
  bodyMs: 30_000,
  answerMs: 60_000,
  idleMs: 15_000,
  bodyBytes: 4_000_000,
  streams: 64,
  streamsEach: 16,
  waitingBytes: 1_000_000,
  heartbeatMs: 15_000,
};

/** What the API is made of. */
export interface ApiOptions extends ApiParts {
  readonly doors: readonly Door[];
  /** The web page, at `/`. */
  readonly page?: Page | undefined;
  readonly limits?: Partial<ApiLimits> | undefined;
  /** Told what whoever runs the daemon has to know: faults of its own. Not escaped. */
  readonly onFault?: ((error: unknown) => void) | undefined;
}

/** A server that listens. */
export interface ApiServer extends AsyncDisposable {
  /** Where each door listens, as far as the system says: a Unix socket that was passed on has no name. */
  readonly addresses: readonly (AddressInfo | string | null)[];
  /** Refuses new connections, ends streams, and waits until what was asked for is answered. */
  close(): Promise<void>;
}

/** The longest headers, in bytes. */
const HEADER_BYTES = 16_384;

/** Opens the doors. @throws {PvusbError} `invalid-argument`, `invalid-configuration`, `cannot-listen` */
export async function openApi(options: ApiOptions): Promise<ApiServer> {
  const api = new Api(options);
  const servers: Server[] = [];
  try {
    for (const door of options.doors) {
      const server = api.serverOf(door);
      servers.push(server);
      await listenAt(server, door);
    }
  } catch (error) {
    for (const server of servers) server.close();
    api.end();
    throw error;
  }
  const close = async (): Promise<void> => {
    api.end();
    await Promise.all(
      servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            server.close(() => resolve());
            server.closeIdleConnections();
          }),
      ),
    );
  };
  const addresses = servers.map((server) => server.address());
  return { addresses, close, [Symbol.asyncDispose]: close };
}

class Api {
  readonly #options: ApiOptions;
  readonly #limits: ApiLimits;
  readonly #streams: EventStreams;
  readonly #counters = new Counters();
  readonly #deadlines = new Deadlines();
  readonly #connected = new WeakMap<Socket, Connected>();
  readonly #stopCounting: () => void;
  #isEnding = false;

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    const { events } = options.service;
    this.#streams = new EventStreams(events, this.#limits);
    this.#stopCounting = events.listen(({ event }) => this.#counters.event(event));
  }

  end(): void {
    this.#isEnding = true;
    this.#stopCounting();
    this.#streams.close();
  }

  serverOf(door: Door): Server {
    const { connections, headersMs } = this.#limits;
    const options = {
      maxHeaderSize: HEADER_BYTES,
      // Deadlines are kept here, without a timer that never rests.
      connectionsCheckingInterval: 2 ** 31 - 1,
      keepAliveTimeout: 0,
      requestTimeout: 0,
      headersTimeout: 0,
    };
    const tls = door.kind === 'tcp' ? door.tls : undefined;
    const server = tls
      ? tlsServer({ ...options, ...tls, minVersion: 'TLSv1.2', handshakeTimeout: headersMs })
      : createServer(options);
    server.maxConnections = connections;
    server.maxHeadersCount = 100;
    server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.#deadlines.set(socket, headersMs);
      if (door.kind === 'unix') this.#connected.set(socket, connectedTo(door, socket));
    });
    server.on('request', (request, response) => void this.#serve(door, request, response));
    return server;
  }

  async #serve(door: Door, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const { answerMs, idleMs } = this.#limits;
    const leaving = new AbortController();
    let route: RouteName | 'none' = 'none';
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    response.once('close', () => {
      leaving.abort();
      this.#counters.request(route, response.statusCode);
      if (!socket.destroyed) this.#deadlines.set(socket, idleMs);
      if (this.#isEnding) socket.end();
    });
    // An error of the connection ends it, and needs no words.
    response.on('error', () => undefined);
    try {
      const { path, query } = targetOf(request);
      if (door.kind === 'tcp') requireOwnPage(door, request);
      if (servePage(this.#options.page, path, request, response)) return;
      if (door.kind === 'tcp') requireSameOrigin(request);
      const name = routeFor(path, request.method);
      route = name;
      const came = await this.#actorFor(door, name, request);
      this.#deadlines.set(socket, this.#limits.bodyMs);
      const body = await readBody(request, this.#limits.bodyBytes);
      this.#deadlines.clear(socket);
      // A body may take its time: who has lost the token or the role meanwhile is refused.
      const actor = body.length === 0 ? came : await this.#actorFor(door, name, request);
      const asked = parseRequest(name, query, body);
      // Its end has been told already: a stream that is opened now would never hear of it.
      if (leaving.signal.aborted) return;
      await this.#answer(door, name, { actor, asked, request, response, signal: leaving.signal });
    } catch (error) {
      // Who asked has gone: whatever came of that is told to nobody.
      if (leaving.signal.aborted) return;
      this.#refuse(response, error);
    }
    if (!response.writableEnded) return;
    if (!socket.destroyed && !response.writableFinished) this.#deadlines.set(socket, answerMs);
  }

  /** Who asks; undefined where nobody has to say so. */
  async #actorFor(door: Door, name: RouteName, request: IncomingMessage): Promise<Actor | undefined> {
    const { role, path }: Route = ROUTES[name];
    if (role === 'anyone') return undefined;
    const actor = await this.#knownAt(door, request);
    requireRole(actor, role, path);
    return actor;
  }

  async #knownAt(door: Door, request: IncomingMessage): Promise<Actor> {
    if (door.kind === 'tcp') return authenticate(door, request);
    const connected = this.#connected.get(request.socket);
    if (connected && 'actor' in connected) return connected.actor;
    throw new PvusbError('not-permitted', connected?.problem ?? 'The peer could not be identified.');
  }

  async #answer(
    door: Door,
    name: RouteName,
    { actor, asked, request, response, signal }: Answering,
  ): Promise<void> {
    if (name === 'metrics') return this.#sendMetrics(response, signal);
    if (name === 'events') {
      const { after } = asked as RequestOf<'events'>;
      const seen = request.headers['last-event-id'];
      const isAllowed = async (): Promise<boolean> => {
        const now = await this.#knownAt(door, request);
        return now.name === actor!.name;
      };
      return this.#streams.open(response, {
        actor: actor!,
        isAllowed,
        after: typeof seen === 'string' && seen !== '' ? seen : after,
      });
    }
    const answer = await HANDLERS[name]!({
      parts: this.#options,
      request: asked,
      actor: actor ?? NOBODY,
      signal,
    });
    const isUnready = name === 'readiness' && this.#options.service.state !== 'ready';
    send(response, isUnready ? 503 : 200, answer);
  }

  async #sendMetrics(response: ServerResponse, signal: AbortSignal): Promise<void> {
    const { service, version } = this.#options;
    // While the host cannot be seen the daemon's own metrics say so.
    const seen = await service.inventory(signal).catch(() => undefined);
    const metrics = this.#counters.metrics(service, seen, { version, streams: this.#streams.count });
    response.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' });
    response.end(formatMetrics(metrics));
  }

  #refuse(response: ServerResponse, thrown: unknown): void {
    const { status, headers, body, isFault } = problemAnswer(thrown);
    if (isFault) this.#options.onFault?.(thrown);
    if (response.headersSent) return void response.destroy();
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    send(response, status, body);
  }
}

/** @throws {PvusbError} `invalid-configuration`: the certificate or the key is none */
function tlsServer(options: Parameters<typeof createTlsServer>[0]): Server {
  try {
    return createTlsServer(options);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PvusbError('invalid-configuration', `The certificate and its key cannot be used (${why}).`, {
      remedy: 'Give a certificate and the key that belongs to it, both in PEM.',
      cause: error,
    });
  }
}

/** What answers each route; its request has been checked by the schema of that route. */
const HANDLERS = { ...READING, ...CHANGING } as Readonly<
  Record<string, (ask: Ask<unknown>) => Promise<unknown>>
>;

interface Answering {
  readonly actor: Actor | undefined;
  readonly asked: unknown;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
}

/** Who has not said who they are: for what is for anyone. */
const NOBODY: Actor = { name: 'anyone', via: 'tcp', role: 'viewer' };

function send(response: ServerResponse, status: number, data: unknown): void {
  const body = Buffer.from(printableJsonText(JSON.stringify(data)));
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': body.length,
  });
  response.end(body);
}
