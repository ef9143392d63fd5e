/** What is being done: chosen, planned, confirmed, carried out, undone. */
import { computed, type ReadonlySignal, signal } from '@preact/signals';
import { type Action, type Call, type Giving, give, type Result } from '../model/actions.js';
import { type Step, stepped } from '../model/steps.js';
import { type Api, type ApiError, apiError } from './api.js';
import { soon } from './soon.js';
import type { Store } from './store.js';

/** A plan. */
type Plan =
  | { readonly is: 'none' }
  | { readonly is: 'planning' }
  | { readonly is: 'planned'; readonly steps: readonly Step[]; readonly results: readonly Result[] }
  | { readonly is: 'refused'; readonly why: ApiError };

/** How far it is. */
type Phase =
  | { readonly is: 'asking' }
  | { readonly is: 'running' }
  | { readonly is: 'done'; readonly sentence: string }
  | { readonly is: 'failed'; readonly why: ApiError };

/** What was done last, and what undoes it. */
interface Last {
  readonly sentence: string;
  readonly isFailure: boolean;
  readonly undo?: Action | undefined;
}

/** The dialog of an operation. */
export interface Operations {
  readonly isOpen: ReadonlySignal<boolean>;
  /** What is chosen, when a device is given. */
  readonly giving: ReadonlySignal<Giving | undefined>;
  readonly action: ReadonlySignal<Action | undefined>;
  readonly plan: ReadonlySignal<Plan>;
  readonly phase: ReadonlySignal<Phase>;
  readonly steps: ReadonlySignal<readonly Step[]>;
  readonly last: ReadonlySignal<Last | undefined>;
  /** Opens the dialog to give a device. */
  openGiving(giving: Omit<Giving, 'always'>): void;
  /** Opens the dialog for something else. */
  open(action: Action): void;
  /** Chooses otherwise. */
  choose(change: Partial<Giving>): void;
  close(): void;
  /** Carries out what was planned. */
  run(): Promise<void>;
  /** Gives up what is being carried out: the daemon undoes what was begun. */
  giveUp(): void;
  /** Forgets what was done last. */
  forget(): void;
}

/** Makes the operations of a store. */
export function createOperations(api: Api, store: Store): Operations {
  const giving = signal<Giving | undefined>(undefined);
  const fixed = signal<Action | undefined>(undefined);
  const plan = signal<Plan>({ is: 'none' });
  const phase = signal<Phase>({ is: 'asking' });
  const steps = signal<readonly Step[]>([]);
  const last = signal<Last | undefined>(undefined);
  const isOpen = signal(false);
  const current = (): Action | undefined =>
    giving.value ? give(store.view.value, giving.value) : fixed.value;
  const action = computed(current);
  let planning = new AbortController();
  let running = new AbortController();
  let operation = '';

  const makePlan = async (): Promise<void> => {
    planning.abort();
    const mine = new AbortController();
    planning = mine;
    const planned = action.peek();
    if (!planned) {
      plan.value = { is: 'none' };
      return;
    }
    if (plan.value.is !== 'planned') plan.value = { is: 'planning' };
    try {
      const results: Result[] = [];
      for (const call of planned.calls) results.push(await send(api, call, { dryRun: true }, mine.signal));
      if (mine.signal.aborted) return;
      const why = results.flatMap(({ plans }) => plans.flatMap((one) => one.steps.map((step) => step.why)));
      plan.value = { is: 'planned', results, steps: why.map((one) => ({ why: one, phase: 'waiting' })) };
    } catch (error) {
      if (!mine.signal.aborted) plan.value = { is: 'refused', why: apiError(error) };
    }
  };
  const planAgain = soon(50, makePlan);
  store.listen((event) => {
    if (!isOpen.value) return;
    if (event.event === 'step' && event.operation === operation) steps.value = stepped(steps.value, event);
    if (phase.value.is !== 'asking' || event.event !== 'change') return;
    const { busids, domids } = action.peek() ?? {
      busids: giving.value ? [giving.value.busid] : [],
      domids: [],
    };
    const text = JSON.stringify(event.change);
    const isAbout =
      busids.some((busid) => text.includes(`"${busid}"`)) ||
      domids.some((domid) => text.includes(`"domid":${domid}`));
    if (isAbout) planAgain.later();
  });

  const show = (): void => {
    phase.value = { is: 'asking' };
    plan.value = { is: 'none' };
    steps.value = [];
    last.value = undefined;
    isOpen.value = true;
    void makePlan();
  };

  return {
    ...{ isOpen, giving, action, plan, phase, steps, last },
    openGiving(chosen) {
      fixed.value = undefined;
      giving.value = { ...chosen, always: false };
      show();
    },
    open(chosen) {
      giving.value = undefined;
      fixed.value = chosen;
      show();
    },
    choose(change) {
      if (!giving.value) return;
      giving.value = { ...giving.value, ...change };
      plan.value = { is: 'planning' };
      planAgain.later();
    },
    close() {
      isOpen.value = false;
      planning.abort();
    },
    async run() {
      const chosen = action.peek();
      if (!chosen || plan.value.is !== 'planned' || phase.value.is === 'running') return;
      // The plan that was shown is a forecast: the daemon plans on its own look.
      planning.abort();
      operation = newId();
      steps.value = plan.value.steps;
      phase.value = { is: 'running' };
      running = new AbortController();
      try {
        const results: Result[] = [];
        for (const call of chosen.calls) results.push(await send(api, call, { operation }, running.signal));
        const sentence = chosen.done(results);
        phase.value = { is: 'done', sentence };
        last.value = { sentence, isFailure: false, undo: chosen.undo?.(results) };
      } catch (error) {
        const why = apiError(error);
        phase.value = { is: 'failed', why };
        last.value = { sentence: `${why.message} ${why.remedy}`, isFailure: true };
      }
    },
    giveUp: () => running.abort(),
    forget() {
      last.value = undefined;
    },
  };
}

function send(
  api: Api,
  { route, body }: Call,
  options: { readonly dryRun?: true; readonly operation?: string },
  signal: AbortSignal,
): Promise<Result> {
  return api.call(route, { ...body, ...options } as typeof body, signal);
}

/** Chosen here, so that the steps are known among the events. Not `randomUUID`: that is for https only. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `page-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
