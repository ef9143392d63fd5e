/** The steps of an operation, and how far they are. Pure. */
import type { StreamEvent } from '../../src/api/index.js';

/** A step. */
export interface Step {
  readonly why: string;
  readonly phase: 'waiting' | 'begun' | 'done' | 'failed' | 'undone';
}

/** What an event says about a step. */
export type StepEvent = Extract<StreamEvent, { readonly event: 'step' }>;

const PHASES = { begin: 'begun', done: 'done', failed: 'failed', undo: 'undone' } as const;

/** The steps after an event. One that was not planned (things have changed meanwhile) is added. */
export function stepped(steps: readonly Step[], { why, phase }: StepEvent): readonly Step[] {
  const now: Step = { why, phase: PHASES[phase] };
  const isOpen = (step: Step): boolean =>
    step.why === why &&
    (phase === 'begin'
      ? step.phase === 'waiting'
      : phase === 'undo'
        ? step.phase !== 'waiting'
        : step.phase === 'begun');
  // What is undone is undone from its end.
  const at = phase === 'undo' ? steps.findLastIndex(isOpen) : steps.findIndex(isOpen);
  return at === -1 ? [...steps, now] : steps.with(at, now);
}
