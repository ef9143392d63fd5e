/** Takes a stream of server-sent events apart (HTML Living Standard, 9.2). */
import { PvusbError } from '../pvusb/index.js';

/** A message of the stream. */
interface Message {
  readonly id: string;
  readonly data: string;
}

/** Longest message, in characters: one event of the daemon has some kilobytes. */
const MESSAGE_MAX = 16_000_000;

/** Collects what comes in pieces. */
export class StreamParser {
  readonly #decoder = new TextDecoder();
  #rest = '';

  /** The messages that are complete with this piece. Signs of life are none. */
  push(chunk: Uint8Array): Message[] {
    const text = this.#rest + this.#decoder.decode(chunk, { stream: true });
    // Messages end with an empty line. Of the three line ends the daemon writes this one.
    const blocks = text.split('\n\n');
    this.#rest = blocks.pop()!;
    if (this.#rest.length > MESSAGE_MAX)
      throw new PvusbError('daemon-answer', 'What answers is not understood: an event does not end.');
    return blocks.flatMap((block) => messageIn(block));
  }
}

function messageIn(block: string): Message | [] {
  const fields = new Map<string, string[]>();
  for (const line of block.split('\n')) {
    const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    fields.set(name, [...(fields.get(name) ?? []), value]);
  }
  const data = fields.get('data');
  return data === undefined ? [] : { id: fields.get('id')?.at(-1) ?? '', data: data.join('\n') };
}
