/** What the tests of the xenstore client share: a transport whose other end is the test, and stores to talk to. */
import { SimStore } from '../../src/sim/store/index.js';
import { connectSocket, type Transport, XenstoreClient, XenstoreError } from '../../src/xenstore/index.js';
import type { TransportEvents } from '../../src/xenstore/transport.js';
import { Decoder, encodeMessage, type Message, MessageType } from '../../src/xenstore/wire.js';
import { type DaemonKind, startDaemon } from '../xenstored/daemon.js';

/** Lets everything that is queued happen. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** For `assert.rejects`: an error of the client with this code, operation and path. */
export function fails(code: string, operation?: string, path?: string): (error: unknown) => boolean {
  return (error) =>
    error instanceof XenstoreError &&
    error.code === code &&
    (operation === undefined || error.operation === operation) &&
    (path === undefined || error.path === path);
}

/** A transport whose other end is the test: it keeps what is sent, and delivers what it is told. */
class FakeTransport implements Transport {
  /** Every request so far. */
  readonly sent: Message[] = [];
  /** How many writes they came in. */
  writes = 0;
  closed = false;
  /** Whether the connection wants the process alive. */
  keeps: boolean | undefined;
  readonly #decoder = new Decoder();
  #events: TransportEvents | undefined;

  start(events: TransportEvents): void {
    this.#events = events;
  }

  send(messages: Buffer): void {
    this.writes++;
    this.#decoder.push(messages, (type, requestId, transactionId, payload) => {
      this.sent.push({ type, requestId, transactionId, payload: Buffer.from(payload) });
    });
  }

  close(): void {
    this.closed = true;
  }

  keepProcessAlive(keep: boolean): void {
    this.keeps = keep;
  }

  /** The requests sent since the last look, once everything queued has happened. */
  async take(): Promise<Message[]> {
    await settled();
    return this.sent.splice(0);
  }

  /** Delivers bytes. */
  bytes(...chunks: readonly Buffer[]): void {
    for (const chunk of chunks) this.#events?.bytes(chunk);
  }

  /** Answers a request. */
  answer(request: Message, payload: string, type: number = request.type): void {
    this.bytes(encodeReply(request, payload, type));
  }

  /** Answers a request with an errno. */
  refuse(request: Message, errno: string): void {
    this.answer(request, `${errno}\0`, MessageType.error);
  }

  /** Delivers a watch event. */
  event(path: string, token: string): void {
    this.bytes(encodeEvent(path, token));
  }

  /** Ends the connection. */
  lose(cause?: Error): void {
    this.#events?.closed(cause);
  }
}

/** A reply's bytes. */
export function encodeReply(request: Message, payload: string, type: number = request.type): Buffer {
  const { requestId, transactionId } = request;
  return encodeMessage({ type, requestId, transactionId, payload: Buffer.from(payload, 'latin1') });
}

/** A watch event's bytes. */
export function encodeEvent(path: string, token: string): Buffer {
  const payload = Buffer.from(`${path}\0${token}\0`);
  return encodeMessage({ type: MessageType.watchEvent, requestId: 0, transactionId: 0, payload });
}

/** A client on a {@link FakeTransport}. */
export function fakeClient(): { readonly client: XenstoreClient; readonly wire: FakeTransport } {
  const wire = new FakeTransport();
  return { client: new XenstoreClient(wire), wire };
}

/** The text of a request's payload, its NULs as `|`. */
export function textOf(message: Message): string {
  return message.payload.toString('latin1').replaceAll('\0', '|');
}

/** A store that clients can be opened on. */
export interface Subject {
  readonly kind: 'sim' | DaemonKind;
  /** A client of domain 0. */
  open(): Promise<XenstoreClient>;
  /** Makes a guest, and a client for it. */
  openGuest(domid: number): Promise<XenstoreClient>;
  /** Ends a guest. */
  killGuest(domid: number): Promise<void>;
  /** Ends the store; open clients lose their connection. */
  stop(): Promise<void>;
}

/** Starts one of Debian's daemons. */
async function startReal(kind: DaemonKind): Promise<Subject> {
  const daemon = await startDaemon(kind);
  return {
    kind,
    open: async () => new XenstoreClient(await connectSocket(daemon.socket)),
    openGuest: async (domid) => new XenstoreClient(await connectSocket((await daemon.guest(domid)).socket)),
    killGuest: (domid) => daemon.kill(domid),
    stop: () => daemon.stop(),
  };
}

/** Starts a simulated store. */
async function startSim(): Promise<Subject> {
  const store = new SimStore();
  const open = new Set<Transport>();
  const connect = (domid: number): XenstoreClient => {
    const transport = store.connect(domid);
    open.add(transport);
    return new XenstoreClient(transport);
  };
  return {
    kind: 'sim',
    open: async () => connect(0),
    openGuest: async (domid) => {
      store.introduce(domid);
      const home = `/local/domain/${domid}`;
      await store.handle(0).mkdir(home);
      await store.handle(0).setPermissions(home, [{ domid, access: 'none' }]);
      return connect(domid);
    },
    killGuest: async (domid) => store.release(domid),
    stop: async () => {
      for (const transport of open) transport.close();
    },
  };
}

/** The stores to test on: their names, how they start, and why the real ones are skipped, if they are. */
export function subjectsBy(skip: string | false): [string, () => Promise<Subject>, string | false][] {
  return [
    ['the simulated store', startSim, false],
    ["Debian's C xenstored", () => startReal('c'), skip],
    ["Debian's oxenstored", () => startReal('o'), skip],
  ];
}
