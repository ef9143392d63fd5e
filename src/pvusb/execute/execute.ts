/** Walks a plan's steps and, when one fails, its undos backwards. The only place that changes a host. */

import { channel } from 'node:diagnostics_channel';
import { LibxlError } from '../../libxl/index.js';
import { XenstoreError } from '../../xenstore/index.js';
import { PvusbError } from '../model/errors.js';
import { ConflictError, toPvusbError } from '../model/failure.js';
import { type Action, formatAction, type Plan, type Step } from '../model/plan.js';
import { subjectsOf } from '../model/plan-subjects.js';
import type { Named } from '../model/wording.js';
import type { CallOptions, Host, Xenstore } from '../observe/host.js';
import { perform } from './perform.js';

/** What a plan's execution reports as it proceeds. */
export interface Progress {
  readonly plan: Plan;
  readonly step: Step;
  /** `begin` and `done` of a step; `undo` when it is undone; `failed`. */
  readonly phase: 'begin' | 'done' | 'failed' | 'undo';
}

/** Options of an execution. */
export interface ExecuteOptions extends CallOptions {
  /** Called as each step begins and ends. */
  readonly onStep?: ((progress: Progress) => void) | undefined;
}

/**
 * Carries out a plan. Errors call the `domains` by their names: those of the inventory that it was made from.
 *
 * @throws {ConflictError} a commit met another writer; what was begun has been undone (or, with `stop`, is to be
 *   continued): observe and plan again
 * @throws {PvusbError} what failed. With `onFailure: 'undo'` the host is as it was, or the code is
 *   `rollback-failed` and `leftOver` says what remains; with `stop` the plan can be made and run again
 */
export async function execute(
  host: Host,
  plan: Plan,
  options: ExecuteOptions & Partial<Named> = {},
): Promise<void> {
  const walking = walk(host, plan, options);
  host.inFlight?.add(walking);
  try {
    await walking;
  } finally {
    host.inFlight?.delete(walking);
  }
}

/**
 * Carries out a plan when no other operation of this process is at work on its devices. Returns false, and has done
 * nothing, if it had to wait for one: of what that did, this plan knows nothing.
 *
 * @throws as {@link execute}
 */
export async function executeInTurn(
  host: Host,
  plan: Plan,
  options: ExecuteOptions & Partial<Named> = {},
): Promise<boolean> {
  const act = async (hadToWait = false): Promise<boolean> => {
    if (!hadToWait) await execute(host, plan, options);
    return !hadToWait;
  };
  return host.deviceTurns?.run(subjectsOf(plan).busids, act, options.signal) ?? act();
}

async function walk(host: Host, plan: Plan, options: ExecuteOptions & Partial<Named>): Promise<void> {
  const { signal, domains = [] } = options;
  const failures: PvusbError[] = [];
  const begun: Step[] = [];
  for (const step of plan.steps) {
    const tell = (phase: Progress['phase']): void => report(options, { plan, step, phase });
    tell('begin');
    try {
      signal?.throwIfAborted();
      begun.push(step);
      await perform(host, step.act, { signal, domains });
      tell('done');
    } catch (error) {
      tell('failed');
      const failure = toPvusbError(error, { doing: `trying to ${step.why}`, signal });
      if (step.goOn && failure.code !== 'aborted') {
        failures.push(failure);
        continue;
      }
      if (isCertain(step, error)) begun.pop();
      if (plan.onFailure === 'undo') await takeBack(host, plan, begun, failure, options);
      throw error instanceof ConflictError ? error : failure;
    }
  }
  if (failures.length > 0) throw joined(failures);
}

/** Reported to the caller, and to every subscriber in the process: one {@link Progress} per step, on `pvusb:step`. */
const STEPS = channel('pvusb:step');

function report({ onStep }: ExecuteOptions, progress: Progress): void {
  if (STEPS.hasSubscribers) STEPS.publish(progress);
  onStep?.(progress);
}

/** A transaction that was refused has changed nothing, so there is nothing of it to undo. */
function isCertain(step: Step, error: unknown): boolean {
  // A problem with a saved configuration comes before its transaction, or ends it.
  if (error instanceof ConflictError) return !error.hasChanged;
  if (error instanceof LibxlError) return true;
  return (
    step.act.do === 'commit' &&
    error instanceof XenstoreError &&
    error.code !== 'connection-lost' &&
    error.code !== 'protocol'
  );
}

/** When one of these cannot be undone, the undos before it must not be done either. */
const GATES: ReadonlySet<Action['do']> = new Set(['unemulate', 'unlend', 'release']);

/** Undoes what was begun, last first; the step that failed too, since its outcome may be unknown. */
async function takeBack(
  host: Host,
  plan: Plan,
  begun: readonly Step[],
  failure: PvusbError,
  options: ExecuteOptions & Partial<Named>,
): Promise<void> {
  const { domains = [] } = options;
  const leftOver: string[] = [];
  await using undoing = await reconnected(host, failure);
  const undos = begun.toReversed().flatMap((step) => (step.undo ?? []).map((action) => ({ step, action })));
  for (const { step, action } of undos) {
    if (action === step.undo?.[0]) report(options, { plan, step, phase: 'undo' });
    try {
      // No signal: whoever aborted the operation still wants the host as it was.
      await perform(undoing.host, action, { domains });
    } catch (error) {
      leftOver.push(describeLeftOver(action, error));
      // What QEMU may still have keeps its port and its records, so that it can be seen and repaired.
      if (GATES.has(action.do)) break;
    }
  }
  if (leftOver.length === 0) return;
  const sentence = `${failure.message} Rolling back failed too: ${leftOver.join('; ')}.`;
  throw new PvusbError('rollback-failed', sentence, { where: failure.where, cause: failure, leftOver });
}

function describeLeftOver(action: Action, error: unknown): string {
  return `could not ${formatAction(action)} (${error instanceof Error ? error.message : String(error)})`;
}

/** The host, over a new connection if the first one was lost. */
async function reconnected(host: Host, failure: PvusbError): Promise<{ host: Host } & AsyncDisposable> {
  const asIs = { host, [Symbol.asyncDispose]: async () => undefined };
  if (failure.code !== 'connection-lost' || !host.reopen) return asIs;
  let xenstore: Xenstore;
  try {
    xenstore = await host.reopen();
  } catch {
    // Not back yet. At least the drivers can be given back; the rest is left over, and reported.
    return asIs;
  }
  return { host: { ...host, xenstore }, [Symbol.asyncDispose]: async () => xenstore.close() };
}

/** One error for all that failed while the plan went on. */
function joined(failures: readonly PvusbError[]): PvusbError {
  const [first] = failures;
  if (failures.length === 1) return first!;
  const leftOver = failures.flatMap((failure) => [failure.message, ...failure.leftOver]);
  return new PvusbError(first!.code, `${first!.message} (and ${failures.length - 1} more)`, {
    where: first!.where,
    cause: first,
    leftOver,
    remedy: first!.remedy,
  });
}
