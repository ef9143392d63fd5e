/** How the page speaks to the daemon. Another one, of a page that this one is part of, can be given instead. */

/** What was answered. */
interface Answered {
  readonly status: number;
  /** The body in pieces, as they come. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** What is asked. */
interface Asking {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** JSON. */
  readonly body?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Sends a request. Rejects when nobody answers. */
export type Transport = (asking: Asking) => Promise<Answered>;

/** By `fetch`, from the daemon that the page came from, as whoever the token is for. */
export function fetchTransport(token: () => string | undefined): Transport {
  return async ({ method, path, body, headers, signal }) => {
    const bearer = token();
    const response = await fetch(path, {
      method,
      headers: {
        ...(bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
      credentials: 'omit',
      cache: 'no-store',
    });
    return { status: response.status, body: pieces(response.body) };
  };
}

async function* pieces(stream: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  if (!stream) return;
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
