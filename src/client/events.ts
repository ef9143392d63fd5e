/** The events of a daemon as an iterable that reconnects and resumes. */
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROUTES, type StreamEvent, type Streamed, StreamParser } from '../api/index.js';
import { isPvusbError, PvusbError } from '../pvusb/index.js';
import { errorOf } from './errors.js';
import type { Transport } from './transport.js';

/** How events are followed. */
export interface EventsOptions {
  readonly signal?: AbortSignal | undefined;
  /** After the event with this id: the first is then no `start`. */
  readonly after?: string | undefined;
  /** Called when the connection is lost or cannot be made; it is retried. */
  readonly onTrouble?: ((error: PvusbError) => void) | undefined;
}

/** The pauses before it is tried again. */
const PAUSE_MIN_MS = 250;
const PAUSE_MAX_MS = 10_000;

/** A stream that is silent for so long is dead: the daemon gives a sign of life every 15 seconds. */
const SILENT_MS = 60_000;

/** Longest message, in characters: one event of the daemon has some kilobytes. */
const MESSAGE_MAX = 16_000_000;

/** Follows the events, whatever happens to the connection. */
export async function* followEvents(
  transport: Transport,
  { signal, after, onTrouble }: EventsOptions = {},
): AsyncGenerator<Streamed, void> {
  let last = after;
  let pauseMs = PAUSE_MIN_MS;
  while (!signal?.aborted) {
    try {
      for await (const streamed of connection(transport, last, signal)) {
        pauseMs = PAUSE_MIN_MS;
        last = streamed.id;
        yield streamed;
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (!isTemporary(error)) throw error;
      onTrouble?.(error);
    }
    try {
      await sleep(pauseMs * (0.5 + Math.random() / 2), undefined, { signal });
    } catch {
      return;
    }
    pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS);
  }
}

/** What may be over in a moment. */
function isTemporary(error: unknown): error is PvusbError {
  return isPvusbError(error, 'daemon-unreachable', 'daemon-busy') || isPvusbError(error, 'aborted');
}

/** One connection, until it ends. */
async function* connection(
  transport: Transport,
  last: string | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Streamed, void> {
  const { method, path } = ROUTES.events;
  const headers = {
    Accept: 'text/event-stream',
    ...(last === undefined ? {} : { 'Last-Event-ID': last }),
  };
  const response = await transport({ method, path, headers, signal });
  response.setTimeout(SILENT_MS, () => response.destroy(new Error('it is silent')));
  try {
    if (response.statusCode !== 200) throw errorOf(response, await wholeText(response));
    const parser = new StreamParser();
    for await (const chunk of response as AsyncIterable<Buffer>) {
      for (const { id, data } of parser.push(chunk)) yield { id, event: eventIn(data) };
      if (parser.waiting > MESSAGE_MAX)
        throw new PvusbError('daemon-answer', 'The answer is not understood: an event does not end.');
    }
  } catch (error) {
    if (error instanceof PvusbError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new PvusbError('daemon-unreachable', `The stream of events has ended: ${why}.`, { cause: error });
  } finally {
    response.destroy();
  }
}

async function wholeText(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response as AsyncIterable<Buffer>) text = `${text}${chunk}`.slice(0, 100_000);
  return text;
}

function eventIn(data: string): StreamEvent {
  try {
    const { success, data: event } = ROUTES.events.answer.safeParse(JSON.parse(data));
    if (success) return event;
  } catch {
    // Told below.
  }
  throw new PvusbError('daemon-answer', 'The answer is not understood: an event is not valid.');
}
