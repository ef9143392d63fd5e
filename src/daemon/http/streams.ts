/** Streams of events (server-sent events): resumed by id, bounded, and nothing runs while nobody listens. */
import type { ServerResponse } from 'node:http';
import type { StreamEvent } from '../../api/index.js';
import { PvusbError } from '../../pvusb/index.js';
import { printableJsonText } from '../../sysfs/index.js';
import type { Actor, EventLog } from '../service.js';

/** Limits of streams. */
export interface StreamLimits {
  /** Streams at a time, of all and of one actor. */
  readonly streams: number;
  readonly streamsEach: number;
  /** How much may wait for a slow reader, in bytes, before it is dropped. */
  readonly waitingBytes: number;
  /** Between two signs of life. */
  readonly heartbeatMs: number;
}

interface Stream {
  readonly response: ServerResponse;
  readonly actor: Actor;
  /** Whether its actor may still listen. */
  readonly isAllowed: () => Promise<boolean>;
  /** What may wait. */
  readonly waitingBytes: number;
}

/** The streams of one server. */
export class EventStreams {
  readonly #log: EventLog;
  readonly #limits: StreamLimits;
  readonly #streams = new Set<Stream>();
  #stopListening: () => void = () => undefined;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(log: EventLog, limits: StreamLimits) {
    this.#log = log;
    this.#limits = limits;
  }

  /** How many are open. */
  get count(): number {
    return this.#streams.size;
  }

  /**
   * Sends events from now on, or from after an id; ends with its response.
   *
   * @throws {PvusbError} `daemon-busy`
   */
  open(
    response: ServerResponse,
    {
      actor,
      after,
      isAllowed,
    }: Pick<Stream, 'actor' | 'isAllowed'> & { readonly after?: string | undefined },
  ): void {
    const { streams, streamsEach, waitingBytes } = this.#limits;
    const own = [...this.#streams].filter((one) => one.actor.name === actor.name);
    if (this.#streams.size >= streams || own.length >= streamsEach)
      throw new PvusbError(
        'daemon-busy',
        `At most ${streams} event streams can be open, and ${streamsEach} for each user.`,
      );
    const text = this.#beginning(after);
    // What is sent at first is bounded by the log: only what comes after it counts.
    const stream = { response, actor, isAllowed, waitingBytes: waitingBytes + Buffer.byteLength(text) };
    this.#streams.add(stream);
    if (this.#streams.size === 1) this.#begin();
    response.once('close', () => this.#drop(stream));
    response.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      // A proxy in between must not gather what it gets.
      'X-Accel-Buffering': 'no',
    });
    response.write(text);
  }

  /** Ends all streams. */
  close(): void {
    for (const stream of this.#streams) {
      stream.response.end();
      this.#drop(stream);
    }
  }

  /** What has happened since `after`; or where the stream begins, so that it can be resumed before anything happens. */
  #beginning(after: string | undefined): string {
    if (after === undefined) return formatEvent(this.#log.lastId, { event: 'start' });
    const since = this.#log.since(after);
    if (!since) return formatEvent(this.#log.lastId, { event: 'reset' });
    // Something is sent in any case: the reader knows then that the stream is open.
    return since.map(({ id, event }) => formatEvent(id, event)).join('') || ': nothing new\n\n';
  }

  #begin(): void {
    this.#stopListening = this.#log.listen(({ id, event }) => {
      const text = formatEvent(id, event);
      for (const stream of this.#streams) this.#send(stream, text);
    });
    this.#heartbeat = setInterval(() => {
      for (const stream of this.#streams) void this.#check(stream);
    }, this.#limits.heartbeatMs);
  }

  async #check(stream: Stream): Promise<void> {
    if (await stream.isAllowed().catch(() => false)) this.#send(stream, ': \n\n');
    else stream.response.destroy();
  }

  #send(stream: Stream, text: string): void {
    const { response, waitingBytes } = stream;
    if (!this.#streams.has(stream) || response.destroyed) return;
    if (response.writableLength > waitingBytes) response.destroy();
    else response.write(text);
  }

  #drop(stream: Stream): void {
    if (!this.#streams.delete(stream) || this.#streams.size > 0) return;
    this.#stopListening();
    clearInterval(this.#heartbeat);
  }
}

/** JSON has no line breaks, so each event has one line of data. */
function formatEvent(id: string, event: StreamEvent): string {
  return `id: ${id}\nevent: ${event.event}\ndata: ${printableJsonText(JSON.stringify(event))}\n\n`;
}
