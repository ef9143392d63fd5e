/** Takes a stream of server-sent events apart (HTML Living Standard, 9.2): for clients, and for the page. */

/** A message of the stream. */
interface Message {
  readonly id: string;
  readonly data: string;
}

/** Collects what comes in pieces. */
export class StreamParser {
  readonly #decoder = new TextDecoder();
  #rest = '';

  /** How much has come of a message that is not complete, in characters. */
  get waiting(): number {
    return this.#rest.length;
  }

  /** The messages that are complete with this piece. Signs of life are none. */
  push(chunk: Uint8Array): Message[] {
    const text = this.#rest + this.#decoder.decode(chunk, { stream: true });
    // Messages end with an empty line. Of the three line ends the daemon writes this one.
    const blocks = text.split('\n\n');
    this.#rest = blocks.pop()!;
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
