/** Shows what is being done while it is being done, on a terminal only. */
import type { Progress } from '../pvusb/index.js';
import { fit } from './table.js';
import type { Terminal } from './terminal.js';

/** Nothing quicker than this is worth a line. */
const AFTER_MS = 300;

/** Width assumed for a terminal of unknown width. */
const WIDTH = 80;

/** As much of a step as is shown. */
interface ShownStep {
  readonly step: { readonly why: string };
  readonly phase: Progress['phase'];
}

/** A line that appears when something takes long and disappears when it is over. */
export class ProgressLine {
  readonly #terminal: Terminal;
  #timer: NodeJS.Timeout | undefined;
  #shown = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** For the `onStep` of an operation. */
  readonly onStep = ({ step, phase }: ShownStep): void => {
    if (phase === 'begin') this.show(`${step.why} ...`);
    else if (phase === 'undo') this.show(`undoing: ${step.why} ...`);
    else this.clear();
  };

  /** Shows `text` unless {@link clear} comes soon. */
  show(text: string): void {
    if (!this.#terminal.showsProgress) return;
    this.clear();
    this.#timer = setTimeout(() => {
      this.#shown = true;
      // A line that the terminal has wrapped could not be removed.
      this.#terminal.err(`\r\x1b[K${fit(text, (this.#terminal.errColumns ?? WIDTH) - 1)}`);
    }, AFTER_MS);
    this.#timer.unref();
  }

  /** Removes the line. */
  clear(): void {
    clearTimeout(this.#timer);
    if (this.#shown) this.#terminal.err('\r\x1b[K');
    this.#shown = false;
  }
}
