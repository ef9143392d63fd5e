/**
 * Faults of the product that the sweep has found and that are not mended yet: what is overlooked because of them, line
 * by line, so that nothing is left out unsaid. Each has a test of its own in unfinished-config.test.ts. A fault that is
 * mended goes from here, and its test is no longer `todo`.
 */
import type { Fault, HostCall } from './faults.js';

interface Known {
  at(call: HostCall, fault: Fault): boolean;
  /** What is wrong because of it. */
  readonly lines: RegExp;
}

const KNOWN: readonly Known[] = [
  {
    // The end of the lock is no part of what it was for: that has been done, and is not undone when the end fails.
    at: ({ what, name }, { kind }) => what === 'saved' && name.startsWith('unlock') && kind === 'errno',
    lines: /^(I4|mended, but):? /,
  },
];

/** True for a line that says what a known fault of the product does. */
export function isKnown(call: HostCall, fault: Fault, line: string): boolean {
  return KNOWN.some(({ at, lines }) => at(call, fault) && lines.test(line));
}

/**
 * True when the doctor has to be run again for the saved configurations: a repair of something else has changed what it
 * found wrong there, so that it does not take it for the same finding.
 */
export function isLeftByDoctor(remaining: readonly { readonly finding: string }[]): boolean {
  return remaining.length > 0 && remaining.every(({ finding }) => finding === 'config-differs');
}
