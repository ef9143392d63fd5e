/** What one operation does, noted for its record and told while it happens. */
import { randomUUID } from 'node:crypto';
import { StepRecorder } from '../audit/index.js';
import { type Busid, type Progress, subjectsOf } from '../pvusb/index.js';
import type { Events } from './events.js';
import type { Asked, OperationRecord } from './service.js';

/** Notes the steps of one operation, and tells them. */
export class Recorder {
  readonly #asked: Asked;
  readonly #events: Events;
  readonly #operation: string;
  readonly #steps = new StepRecorder();
  readonly #busids = new Set<Busid>();
  readonly #domids = new Set<number>();
  #hasBegun = false;

  constructor(asked: Asked, events: Events) {
    this.#asked = asked;
    this.#events = events;
    this.#operation = asked.operation ?? randomUUID();
  }

  /** Whether it has begun with a step. */
  get hasSteps(): boolean {
    return this.#hasBegun;
  }

  /** Notes a step, and tells it. */
  readonly onStep = (progress: Progress): void => {
    const { plan, step, phase } = progress;
    if (!this.#hasBegun) this.#tell('begin');
    this.#hasBegun = true;
    this.#steps.onStep(progress);
    const { busids, domids } = subjectsOf(plan);
    for (const busid of busids) this.#busids.add(busid);
    for (const domid of domids) this.#domids.add(domid);
    this.#events.tell({
      event: 'step',
      operation: this.#operation,
      why: step.why,
      phase,
      step: plan.steps.indexOf(step) + 1,
      steps: plan.steps.length,
    });
  };

  /** Tells how it has ended, if it has begun. */
  end(phase: 'done' | 'failed'): void {
    if (this.#hasBegun) this.#tell(phase);
  }

  /** Its record. */
  record(outcome: Pick<OperationRecord, 'result' | 'error'>): OperationRecord {
    const about = { busids: [...this.#busids], domids: [...this.#domids] };
    return { asked: this.#asked, operation: this.#operation, steps: this.#steps.steps, about, ...outcome };
  }

  #tell(phase: 'begin' | 'done' | 'failed'): void {
    const { what } = this.#asked;
    this.#events.tell({ event: 'operation', operation: this.#operation, what, phase });
  }
}
