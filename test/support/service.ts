/** A small service of the daemon on any host: observes anew each time. */

import { Events } from '../../src/daemon/events.js';
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

/** The daemon's events, and how many listen to them. */
class CountedEvents implements EventLog {
  readonly #events = new Events();
  readonly #hearers = new Set<(numbered: Numbered) => void>();

  get lastId(): string {
    return this.#events.lastId;
  }

  /** How many listen. */
  get hearers(): number {
    return this.#hearers.size;
  }

  tell(event: DaemonEvent): void {
    this.#events.tell(event);
  }

  since(id: string): readonly Numbered[] | undefined {
    return this.#events.since(id);
  }

  listen(hear: (numbered: Numbered) => void): () => void {
    const deafen = this.#events.listen(hear);
    this.#hearers.add(hear);
    return () => {
      deafen();
      this.#hearers.delete(hear);
    };
  }
}

/** A service whose state and requests a test can set, and what was asked of it. */
export interface TestService extends Service {
  state: ServiceState;
  requests: AskRequest[];
  readonly events: CountedEvents;
  readonly asked: Asked[];
}

/** Makes a service of a host. */
export function serviceOf(host: Host): TestService {
  const events = new CountedEvents();
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
