/** The steps of an operation of a daemon, while it runs. */
import { randomUUID } from 'node:crypto';
import type { Daemon } from '../../client/index.js';
import { printable } from '../../sysfs/index.js';
import { ProgressLine } from '../progress.js';
import type { Terminal } from '../terminal.js';

/**
 * Runs `body` with the id of its operation, and shows the steps of that one. They are for people: where nobody looks, or
 * the daemon has no stream to spare, there are none.
 */
export async function follow<T>(
  terminal: Terminal,
  daemon: Daemon,
  body: (operation: string) => Promise<T>,
): Promise<T> {
  const operation = randomUUID();
  if (!terminal.showsProgress) return body(operation);
  const progress = new ProgressLine(terminal);
  const ended = new AbortController();
  const signal = AbortSignal.any([ended.signal, terminal.signal]);
  let giveUp: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => {
    giveUp = resolve;
  });
  const steps = async (): Promise<void> => {
    for await (const { event } of daemon.events({ signal, onTrouble: () => ended.abort() })) {
      if (event.event === 'start') giveUp();
      if (event.event === 'step' && event.operation === operation)
        progress.onStep({ step: { why: printable(event.why) }, phase: event.phase });
    }
  };
  const following = steps()
    .catch(() => undefined)
    .finally(giveUp);
  try {
    await begun;
    return await body(operation);
  } finally {
    ended.abort();
    await following;
    progress.clear();
  }
}
