/** The duty that gives guests what the rules assign to them. */
import type { QuiescedGuest } from '../../quiesced/index.js';
import { formatPlace, parseRules, type RuleFile } from '../../rules/index.js';
import type { UsbDevice } from '../../sysfs/index.js';
import { isPvusbError } from '../model/errors.js';
import { deviceAt, domainAt } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import { decisionsOf } from '../model/rules.js';
import { isNotYet } from '../observe/built.js';
import { type Assignment, assignmentsOf } from '../plan/assigned.js';
import { meetWant } from '../verbs/reconcile.js';
import { AssignmentsSeen } from './assignments-seen.js';
import type { Duty, DutyContext } from './duty.js';
import type { Look } from './monitor.js';

/** Gives assigned devices to their guests as they come. */
export class Assign implements Duty {
  readonly #context: DutyContext;
  readonly #seen = new AssignmentsSeen();
  readonly #hear: (assignments: readonly Assignment[]) => void;
  #files: readonly RuleFile[] = [];
  #quiesced: readonly QuiescedGuest[] = [];

  constructor(context: DutyContext, hear: (assignments: readonly Assignment[]) => void = () => undefined) {
    this.#context = context;
    this.#hear = hear;
  }

  dueMs(): number | undefined {
    return this.#seen.dueMs;
  }

  async see({ inventory, changes, isFirst }: Look): Promise<void> {
    const { host, trouble } = this.#context;
    if (!host.rules) return;
    try {
      const nowMs = host.clock.nowMs();
      const isDue = (this.#seen.dueMs ?? Number.POSITIVE_INFINITY) <= nowMs;
      const hasNewRules = await this.#readRules();
      const hasNewQuiesced = await this.#readQuiesced();
      const isQuiet = !isFirst && !hasNewRules && !hasNewQuiesced && changes.length === 0 && !isDue;
      if (isQuiet) return;
      if (parseRules(this.#files).rules.length === 0) {
        this.#hear([]);
        return;
      }
      await this.#assign({ ...inventory, ruleFiles: this.#files, quiesced: this.#quiesced });
    } catch (error) {
      trouble(error);
    }
  }

  /** True when they are not what they were; a line that cannot be read is reported once. */
  async #readRules(): Promise<boolean> {
    const { host, options, trouble } = this.#context;
    const files = await host.rules!.read({ signal: options.signal });
    if (JSON.stringify(files) === JSON.stringify(this.#files)) return false;
    this.#files = files;
    try {
      decisionsOf({ ruleFiles: files, devices: [], domains: [] });
    } catch (error) {
      trouble(error);
    }
    return true;
  }

  /** True when they are not those they were: one that is restored gets what rules assign to it again. */
  async #readQuiesced(): Promise<boolean> {
    const before = this.#quiesced;
    this.#quiesced = (await this.#context.host.quiesced?.list()) ?? [];
    return JSON.stringify(this.#quiesced) !== JSON.stringify(before);
  }

  async #assign(inventory: Inventory): Promise<void> {
    if (parseRules(this.#files).problems.length > 0) return;
    const nowMs = this.#context.host.clock.nowMs();
    const followed = this.#seen.follow(inventory, decisionsOf(inventory), nowMs);
    const assignments = assignmentsOf(inventory, { followed });
    this.#hear(assignments);
    for (const assignment of this.#seen.see(inventory, assignments, nowMs)) {
      const device = deviceAt(inventory, assignment.busid!);
      if (device) await this.#give(inventory, assignment, device);
    }
  }

  async #give(inventory: Inventory, assignment: Assignment, plug: UsbDevice): Promise<void> {
    const { host, options, carry, tell } = this.#context;
    const { domid, busid, want } = assignment;
    const name = domainAt(inventory, domid!)?.name;
    try {
      const device = want!;
      const own = {
        what: 'attach',
        request: { domid, name, device },
        why: `${formatPlace(assignment.rule.place)} assigns ${busid}`,
      };
      const { changes, plans } = await carry(own, (operation) =>
        meetWant(host, { domid: domid!, device }, operation),
      );
      if (options.dryRun) for (const plan of plans) tell({ event: 'planned', plan });
      for (const change of options.dryRun ? [] : changes)
        if (change.change === 'attached') tell({ event: 'assigned', name, at: { ...change, busid: busid! } });
      if (options.dryRun) this.#seen.fail(assignment, plug, '', host.clock.nowMs());
      else this.#seen.give(inventory, assignment);
    } catch (error) {
      if (options.signal?.aborted || isPvusbError(error, 'connection-lost')) throw error;
      const why = error instanceof Error ? error.message : String(error);
      const isNew = this.#seen.fail(assignment, plug, why, host.clock.nowMs());
      // A guest that is being created, a QEMU that is starting: it will work in a moment.
      if (isNew && !isNotYet(error)) tell({ event: 'not-assigned', domid: domid!, name, busid: busid!, why });
    }
  }
}
