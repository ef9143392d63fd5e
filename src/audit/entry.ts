/** What the audit says about one change. */
import type { Progress } from '../pvusb/index.js';

/** Who changed something, as the daemon knows it. */
interface AuditActor {
  readonly name: string;
  readonly via: string;
  readonly role: string;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly pid?: number | undefined;
}

/** A guest that a change is about. */
interface AuditGuest {
  readonly domid: number;
  readonly name?: string | undefined;
  readonly uuid?: string | undefined;
}

/** One step of a plan, and what came of it; `begun`: its outcome is not known. */
interface AuditStep {
  readonly why: string;
  readonly outcome: 'begun' | 'done' | 'failed' | 'undone';
}

/** A failure. */
interface AuditFailure {
  readonly code: string;
  readonly message: string;
  readonly leftOver?: readonly string[] | undefined;
}

/** A change that was made, or tried. */
export interface AuditEntry {
  readonly who: AuditActor;
  /** The verb, as on the command line. */
  readonly what: string;
  readonly request: unknown;
  /** The rule, or the reason given. */
  readonly why?: string | undefined;
  /** The operation's id among the daemon's events. */
  readonly operation?: string | undefined;
  readonly guests?: readonly AuditGuest[] | undefined;
  /** Busids. */
  readonly devices?: readonly string[] | undefined;
  readonly steps: readonly AuditStep[];
  readonly result?: unknown;
  /** Present if it failed. */
  readonly error?: AuditFailure | undefined;
}

/** Writes down the steps of an operation as they are done. */
export class StepRecorder {
  readonly #steps: { readonly step: Progress['step']; outcome: AuditStep['outcome'] }[] = [];

  /** For the `onStep` of an operation. */
  readonly onStep = ({ step, phase }: Progress): void => {
    const known = this.#steps.findLast((one) => one.step === step);
    // After a conflict the same steps are planned anew.
    if (phase === 'begin') this.#steps.push({ step, outcome: 'begun' });
    else if (known && phase !== 'undo') known.outcome = phase;
    // What has failed is undone too, in case something has come of it.
    else if (known && known.outcome !== 'failed') known.outcome = 'undone';
  };

  /** In the order in which they were begun. */
  get steps(): AuditStep[] {
    return this.#steps.map(({ step: { why }, outcome }) => ({ why, outcome }));
  }
}
