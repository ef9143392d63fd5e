/**
 * The suite's table: scenarios of steps, each a request by someone and the answer it must get.
 *
 * "Someone" is the name of a connection, made on first use: a name that begins with `guest` is a fresh guest domain,
 * any other is a connection of domain 0. Answers are written as text: the NULs of a payload as `|`, an error as
 * `!ENOENT`, a connection that the server ended as `!CLOSED`.
 */

import assert from 'node:assert/strict';
import { type Message, MessageType } from '../../src/xenstore/wire.js';
import { ConnectionClosed, type Raw } from '../xenstored/raw.js';
import type { Request } from './requests.js';
import type { Subject } from './subject.js';

/** An answer, or, where the daemons differ, the answer of the C daemon (`c`) and of oxenstored (`o`). */
export type Expected = Answer | { readonly c: Answer; readonly o: Answer };
/** The text of an answer, or a pattern of it. */
type Answer = string | RegExp;
/** Events in order of arrival, each `path|token|`. */
type Events = readonly string[] | { readonly c: readonly string[]; readonly o: readonly string[] };
/** One thing done in a scenario. */
export type Step = (lab: Lab) => Promise<void>;

/** One row of the table. */
export interface Scenario {
  readonly name: string;
  readonly steps: readonly Step[];
  /** Set where others can't be asked: oxenstored hangs or dies on some things, the simulator lacks some. */
  readonly only?: 'c' | 'daemons';
}

/** The answer to a successful change. */
export const OK = 'OK|';

const FIRST_GUEST = 10;

/** Where a scenario happens: the server, and the connections by name. */
export class Lab {
  static #lastGuest = FIRST_GUEST;
  readonly subject: Subject;
  readonly #connections = new Map<string, Raw>();
  readonly #guests = new Map<string, number>();
  readonly #alive = new Set<string>();
  readonly #transactions = new Map<string, number>();

  constructor(subject: Subject) {
    this.subject = subject;
  }

  /** The connection with that name. */
  async connection(who: string): Promise<Raw> {
    let raw = this.#connections.get(who);
    if (!raw) {
      if (who.startsWith('guest')) await this.introduce(who);
      raw = await this.subject.connect(this.#guests.get(who) ?? 0);
      this.#connections.set(who, raw);
    }
    return raw;
  }

  /** Makes the guest with that name, unless it exists; one that died gets its old number. */
  async introduce(who: string): Promise<void> {
    if (this.#alive.has(who)) return;
    const domid = this.#guests.get(who) ?? ++Lab.#lastGuest;
    this.#guests.set(who, domid);
    this.#alive.add(who);
    this.#connections.get(who)?.close();
    this.#connections.delete(who);
    await this.subject.introduce(domid);
  }

  /** Makes the guest with that name die. */
  async kill(who: string): Promise<void> {
    await this.subject.kill(this.domid(who));
    this.#alive.delete(who);
  }

  /** The domain id of a guest. */
  domid(who: string): number {
    const domid = this.#guests.get(who);
    assert.ok(domid !== undefined, `${who} is not a guest of this scenario`);
    return domid;
  }

  /** Replaces `{guest}` by domain ids. */
  fill(text: string): string {
    return text.replace(/\{(\w+)\}/g, (_, who: string) => String(this.domid(who)));
  }

  /** Sends requests in one piece; their answers as text. */
  async ask(who: string, requests: readonly Request[]): Promise<string[]> {
    const raw = await this.connection(who);
    const name = requests[0]?.transaction;
    const transaction = name === undefined ? 0 : this.#transactions.get(name);
    assert.ok(transaction !== undefined, `no step began the transaction ${name}`);
    const messages = requests.map(({ type, payload }) => ({
      type,
      payload: Buffer.from(this.fill(payload), 'latin1'),
    }));
    const replies = raw.callAll(messages, transaction);
    return await Promise.all(
      replies.map((reply, at) => describeReply(reply, messages[at]!.type, transaction)),
    );
  }

  /** Keeps the id of a transaction under a name. */
  keepTransaction(name: string, id: number): void {
    this.#transactions.set(name, id);
  }

  /** Ends the connections and guests, and removes what the scenario made. */
  async clear(): Promise<void> {
    for (const raw of this.#connections.values()) raw.close();
    for (const who of this.#alive) await this.subject.kill(this.domid(who));
    const admin = await this.subject.connect(0);
    await admin.call(MessageType.rm, '/t\0');
    admin.close();
  }

  /** What is expected of this server. */
  choose<T extends object | string>(expected: T | { readonly c: T; readonly o: T }): T {
    if (typeof expected === 'object' && 'c' in expected) return expected[this.subject.like];
    return expected;
  }
}

async function describeReply(pending: Promise<Message>, type: number, transaction: number): Promise<string> {
  try {
    const reply = await pending;
    assert.equal(reply.transactionId, transaction, 'a reply has the transaction id of its request');
    const text = show(reply.payload);
    if (reply.type !== MessageType.error) {
      assert.equal(reply.type, type, 'a reply has the type of its request');
      return text;
    }
    assert.match(text, /^E[A-Z0-9]+\|$/, 'an error is an errno name with its NUL');
    return `!${text.slice(0, -1)}`;
  } catch (error) {
    if (error instanceof ConnectionClosed) return '!CLOSED';
    throw error;
  }
}

/** A payload as text in the table. */
export function show(payload: Buffer): string {
  return payload.toString('latin1').replaceAll('\0', '|');
}

/** A row of the table. */
export function scenario(name: string, ...steps: readonly Step[]): Scenario {
  return { name, steps };
}

/** A row that only the C daemon (and what behaves like it) is asked. */
export function scenarioOfC(name: string, ...steps: readonly Step[]): Scenario {
  return { name, steps, only: 'c' };
}

/** A row about what only the real daemons have. */
export function scenarioOfDaemons(name: string, ...steps: readonly Step[]): Scenario {
  return { name, steps, only: 'daemons' };
}

/** Someone asks and gets that answer. */
export function ask(who: string, request: Request, expected: Expected): Step {
  return async (lab) => {
    const [answer] = await lab.ask(who, [request]);
    check(lab, answer!, expected, `${who} asks ${brief(request)}`);
  };
}

/** Someone asks many things in one piece and gets that answer to each. */
export function askAll(who: string, requests: readonly Request[], expected: Expected = OK): Step {
  return async (lab) => {
    const answers = await lab.ask(who, requests);
    answers.forEach((answer, at) => {
      check(lab, answer, expected, `${who} asks ${brief(requests[at]!)}`);
    });
  };
}

/** Someone begins a transaction, which later steps call `name`. */
export function begin(who: string, name: string): Step {
  return async (lab) => {
    const reply = await (await lab.connection(who)).call(MessageType.transactionStart, '\0');
    assert.match(show(reply.payload), /^\d+\|$/, `${who} begins a transaction`);
    lab.keepTransaction(name, Number.parseInt(reply.payload.toString(), 10));
  };
}

/** Names a transaction id that nobody began. */
export function pretend(name: string, id: number): Step {
  return async (lab) => lab.keepTransaction(name, id);
}

/** These events, and no others, have reached someone since the last look. */
export function sees(who: string, expected: Events): Step {
  return async (lab) => {
    const events = await (await lab.connection(who)).takeEvents();
    for (const event of events) {
      assert.deepEqual(
        [event.requestId, event.transactionId],
        [0, 0],
        'an event has no request and no transaction',
      );
    }
    const texts = events.map((event) => show(event.payload));
    assert.deepEqual(
      texts,
      lab.choose(expected).map((text) => lab.fill(text)),
      `${who} sees`,
    );
  };
}

/** Someone waits for the next event. */
export function waits(who: string, expected: string): Step {
  return async (lab) => {
    const event = await (await lab.connection(who)).nextEvent();
    assert.equal(show(event.payload), lab.fill(expected), `${who} waits`);
  };
}

/** Someone asks, and gets answer and events in that order. */
export function trace(who: string, request: Request, expected: Events): Step {
  return async (lab) => {
    const raw = await lab.connection(who);
    const before = raw.received.length;
    await lab.ask(who, [request]);
    await raw.takeEvents();
    const texts = raw.received.slice(before, -1).map(({ payload }) => show(payload));
    assert.deepEqual(texts, lab.choose(expected), `what ${brief(request)} brings ${who}, in order`);
  };
}

/** Makes a guest without its connection. */
export function exists(who: string): Step {
  return (lab) => lab.introduce(who);
}

/** A guest shuts down. */
export function shutsDown(who: string): Step {
  return (lab) => lab.subject.shutDown(lab.domid(who));
}

/** A guest dies. */
export function dies(who: string): Step {
  return (lab) => lab.kill(who);
}

function check(lab: Lab, answer: string, expected: Expected, what: string): void {
  const chosen = lab.choose<Answer>(expected);
  if (typeof chosen === 'string') assert.equal(answer, lab.fill(chosen), what);
  else assert.match(answer, chosen, what);
}

/** The numbers from 0 to `count - 1`, turned into something. */
export function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

function brief({ type, payload, transaction }: Request): string {
  const text = show(Buffer.from(payload, 'latin1'));
  const short = text.length > 70 ? `${text.slice(0, 60)}… (${text.length} bytes)` : text;
  return `${type} ${short}${transaction === undefined ? '' : ` in transaction ${transaction}`}`;
}
