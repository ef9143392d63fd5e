/** The duty that reports guests: who has come and gone, and got and lost what. The others rely on what it has seen. */
import { livingGuests } from '../model/find.js';
import type { Duty, DutyContext } from './duty.js';
import type { GuestsSeen } from './guests-seen.js';
import type { Leftovers } from './leftovers.js';
import type { Look } from './monitor.js';

/** Reports guests, and passes on what they leave behind. */
export class GuestDuty implements Duty {
  readonly #context: DutyContext;
  readonly #seen: GuestsSeen;
  readonly #leftovers: Leftovers;

  constructor(context: DutyContext, seen: GuestsSeen, leftovers: Leftovers) {
    this.#context = context;
    this.#seen = seen;
    this.#leftovers = leftovers;
  }

  dueMs(): number | undefined {
    return this.#seen.dueMs;
  }

  async see({ inventory, isFirst }: Look): Promise<void> {
    const { host, tell } = this.#context;
    const nowMs = host.clock.nowMs();
    const { gone, attached, detached } = this.#seen.see(inventory, nowMs);
    if (isFirst) tell({ event: 'watching', domains: livingGuests(inventory).length });
    for (const change of attached) tell({ event: 'attached', ...change });
    for (const change of detached) {
      this.#leftovers.add({ busids: [change.busid], sinceMs: nowMs });
      tell({ event: 'detached', ...change });
    }
    for (const { domid, name, lent } of gone) {
      const busids = lent.map(({ busid }) => busid);
      this.#leftovers.add({ domid, busids, sinceMs: nowMs });
      tell({ event: 'gone', domid, name, busids });
    }
  }
}
