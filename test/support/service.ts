/** A small service of the daemon on any host: observes anew each time, remembers a few events. */
import type {
  Asked,
  AskRequest,
  DaemonEvent,
  EventLog,
  Numbered,
  Service,
  ServiceState,
} from '../../src/daemon/service.js';
import { attachDevice, type Host, observe, PvusbError } from '../../src/pvusb/index.js';

/** How many events are remembered. */
const EVENTS_MAX = 100;

/** Events in memory. */
class EventsInMemory implements EventLog {
  readonly #hearers = new Set<(numbered: Numbered) => void>();
  #events: readonly Numbered[] = [];
  #count = 0;

  get lastId(): string {
    return `test-${this.#count}`;
  }

  /** How many listen. */
  get hearers(): number {
    return this.#hearers.size;
  }

  tell(event: DaemonEvent): void {
    this.#count++;
    const numbered = { id: this.lastId, event };
    this.#events = [...this.#events, numbered].slice(-EVENTS_MAX);
    for (const hear of this.#hearers) hear(numbered);
  }

  since(id: string): readonly Numbered[] | undefined {
    const number = Number(/^test-(\d{1,9})$/.exec(id)?.[1] ?? Number.NaN);
    const missed = this.#count - number;
    if (!(missed >= 0 && missed <= this.#events.length)) return undefined;
    return missed === 0 ? [] : this.#events.slice(-missed);
  }

  listen(hear: (numbered: Numbered) => void): () => void {
    this.#hearers.add(hear);
    return () => this.#hearers.delete(hear);
  }
}

/** A service whose state and requests a test can set, and what was asked of it. */
export interface TestService extends Service {
  state: ServiceState;
  requests: AskRequest[];
  readonly events: EventsInMemory;
  readonly asked: Asked[];
}

/** Makes a service of a host. */
export function serviceOf(host: Host): TestService {
  const events = new EventsInMemory();
  const requireXenstore = (): void => {
    if (service.state === 'unreachable') throw new PvusbError('xenstore-unreachable', 'xenstored is gone.');
  };
  const service: TestService = {
    state: 'ready',
    requests: [],
    events,
    seen: undefined,
    asked: [],
    async inventory(signal) {
      requireXenstore();
      return observe(host, { signal, rules: true, details: true });
    },
    async reading(body) {
      requireXenstore();
      return body(host);
    },
    async operate(asked, body) {
      requireXenstore();
      service.asked.push(asked);
      const { what, operation = 'none', signal, dryRun } = asked;
      const tell = (phase: 'begin' | 'done' | 'failed'): void =>
        events.tell({ event: 'operation', operation, what, phase });
      tell('begin');
      try {
        const result = await body(host, {
          signal,
          dryRun,
          onStep({ plan, step, phase }) {
            const at = plan.steps.indexOf(step) + 1;
            events.tell({
              event: 'step',
              operation,
              why: step.why,
              phase,
              step: at,
              steps: plan.steps.length,
            });
          },
        });
        tell('done');
        return result;
      } catch (error) {
        tell('failed');
        throw error;
      }
    },
    async answer(id, isGranted, { dryRun }) {
      const { domid, busid } = service.requests.find((one) => one.id === id)!;
      if (!dryRun) service.requests = service.requests.filter((one) => one.id !== id);
      return isGranted ? [(await attachDevice(host, { domain: domid, device: busid }, { dryRun })).plan] : [];
    },
  };
  return service;
}
