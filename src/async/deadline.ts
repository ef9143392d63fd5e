/** A time limit on a wait, as an AbortSignal. */
import type { Clock } from './clock.js';

/** The reason of a signal that a {@link withDeadline} limit aborted. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';

  constructor(withinMs: number) {
    super(`nothing came within ${withinMs} ms`);
  }
}

/**
 * Runs `body` with a signal that aborts when the caller's does or after `withinMs`, and waits for it to end.
 *
 * @throws {DeadlineError} (from `body`, as the reason of its signal) when time is up
 */
export async function withDeadline<T>(
  clock: Clock,
  limit: { readonly withinMs: number; readonly signal?: AbortSignal | undefined },
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const done = new AbortController();
  clock.sleep(limit.withinMs, done.signal).then(
    () => late.abort(new DeadlineError(limit.withinMs)),
    () => undefined,
  );
  try {
    return await body(limit.signal ? AbortSignal.any([limit.signal, late.signal]) : late.signal);
  } finally {
    done.abort();
  }
}
