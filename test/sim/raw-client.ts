/** A client of the simulated store that shows what arrives as text. */
import assert from 'node:assert/strict';
import type { SimStore } from '../../src/sim/store/index.js';
import type { Transport } from '../../src/xenstore/transport.js';
import { Decoder, encodeMessage, type Message, MessageType } from '../../src/xenstore/wire.js';

/** Lets everything queued happen. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const T = MessageType;

/** A client that shows replies as text: `OK\0`, or `!ENOENT`; events as `*path token`. */
export class RawClient {
  readonly transport: Transport;
  readonly log: string[] = [];
  ended: { cause?: Error | undefined } | undefined;
  readonly #decoder = new Decoder();
  #nextRequest = 1;

  constructor(store: SimStore, domid = 0) {
    this.transport = store.connect(domid);
    this.transport.start({
      bytes: (chunk) =>
        this.#decoder.push(chunk, (type, _request, _transaction, payload) => {
          const text = payload.toString();
          if (type === T.watchEvent) this.log.push(`*${text.split('\0').slice(0, 2).join(' ')}`);
          else this.log.push(type === T.error ? `!${text.slice(0, -1)}` : text);
        }),
      closed: (cause) => {
        assert.equal(this.ended, undefined);
        this.ended = { cause };
      },
    });
  }

  encode(type: number, payload: string, transactionId = 0): Buffer {
    const message: Message = {
      type,
      transactionId,
      requestId: this.#nextRequest,
      payload: Buffer.from(payload),
    };
    this.#nextRequest += 1;
    return encodeMessage(message);
  }

  /** Everything that came since the last call. */
  async take(): Promise<string[]> {
    await settled();
    return this.log.splice(0);
  }

  async call(type: number, payload: string, transactionId = 0): Promise<string> {
    this.transport.send(this.encode(type, payload, transactionId));
    const [reply, ...rest] = await this.take();
    assert.deepEqual(rest, []);
    return reply ?? '(nothing)';
  }

  async begin(): Promise<number> {
    return Number.parseInt(await this.call(T.transactionStart, '\0'), 10);
  }
}
