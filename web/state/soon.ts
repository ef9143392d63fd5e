/** Something that is done soon after it was asked for, once for all that asked, and never twice at a time. */

/** It. */
interface Soon {
  /** Do it at once, or right after what is being done. */
  now(): void;
  /** Do it in a moment, if that is not going to happen anyway. */
  later(): void;
  /** Whether it was asked for again since it was begun. */
  isDue(): boolean;
  /** Stops with the signal, which is passed on. */
  until(ended: AbortSignal): void;
  /** Told what it fails with. */
  onTrouble(hear: (error: unknown) => void): void;
}

/** Makes it. */
export function soon(afterMs: number, body: (ended: AbortSignal) => Promise<void>): Soon {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isRunning = false;
  let isDue = false;
  let signal = new AbortController().signal;
  let tell: (error: unknown) => void = () => undefined;
  const run = (): void => {
    timer = undefined;
    if (signal.aborted) return;
    if (isRunning) {
      isDue = true;
      return;
    }
    isRunning = true;
    isDue = false;
    body(signal)
      .catch((error: unknown) => {
        if (!signal.aborted) tell(error);
      })
      .finally(() => {
        isRunning = false;
        if (isDue) later();
      });
  };
  const later = (): void => {
    if (isRunning) isDue = true;
    else timer ??= setTimeout(run, afterMs);
  };
  return {
    now() {
      clearTimeout(timer);
      run();
    },
    later,
    isDue: () => isDue,
    until(ended) {
      signal = ended;
    },
    onTrouble(hear) {
      tell = hear;
    },
  };
}
