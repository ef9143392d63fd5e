/** The duty that cleans up what guests leave behind, once their toolstacks have had time to do it. */
import type { Busid } from '../../sysfs/index.js';
import type { Finding } from '../model/finding.js';
import type { Duty, DutyContext } from './duty.js';
import { mend } from './mend.js';

/** What a dead guest leaves behind. */
const LEFT: ReadonlySet<Finding['finding']> = new Set([
  'dead-domain',
  'orphan-backend',
  'stale-saved-driver',
  'binding-without-port',
]);

/** What a guest that is gone, or one that has lost a device, may have left. */
interface Leftover {
  readonly domid?: number;
  /** What it had: a QEMU that died does not give its devices back. */
  readonly busids: readonly Busid[];
  readonly sinceMs: number;
}

/** Fixes what guests have left behind. */
export class Leftovers implements Duty {
  readonly isSlow = true;
  readonly #context: DutyContext;
  readonly #toolstackMs: number;
  #left: Leftover[];

  /** @param toolstackMs how long a toolstack may take to clean up by itself */
  constructor(context: DutyContext, toolstackMs: number) {
    this.#context = context;
    this.#toolstackMs = toolstackMs;
    // What is left over from before.
    this.#left = [{ busids: [], sinceMs: context.host.clock.nowMs() }];
  }

  /** Something may be left over from now on. */
  add(...leftovers: readonly Leftover[]): void {
    this.#left.push(...leftovers);
  }

  /** When the first of them is due. */
  dueMs(): number | undefined {
    if (this.#left.length === 0) return undefined;
    return Math.min(...this.#left.map(({ sinceMs }) => sinceMs)) + this.#toolstackMs;
  }

  /**
   * Fixes what is due, if it lasts; not where a toolstack may still be at work. What could not be fixed is due again
   * after the same time.
   */
  async see(): Promise<void> {
    const { host, trouble } = this.#context;
    const nowMs = host.clock.nowMs();
    const dueMs = this.dueMs();
    if (dueMs === undefined || nowMs < dueMs) return;
    const ripeMs = nowMs - this.#toolstackMs;
    const ripe = this.#left.filter(({ sinceMs }) => sinceMs <= ripeMs);
    this.#left = this.#left.filter(({ sinceMs }) => sinceMs > ripeMs);
    let isDone = false;
    try {
      isDone = await this.#mend(ripe);
    } catch (error) {
      trouble(error);
    } finally {
      if (!isDone) this.add(...ripe.map((leftover) => ({ ...leftover, sinceMs: nowMs })));
    }
  }

  /** Returns whether everything succeeded. */
  async #mend(ripe: readonly Leftover[]): Promise<boolean> {
    const recent = this.#left;
    const had = new Set(ripe.flatMap(({ busids }) => busids));
    const own = { request: { busids: [...had] }, why: 'a guest is gone, or has lost a device' };
    const { revived, failures } = await mend(this.#context, own, {
      revivable: (busid) => had.has(busid),
      only: (finding) => LEFT.has(finding.finding) && !recent.some((leftover) => isOf(finding, leftover)),
    });
    for (const busid of revived)
      this.#context.tell({ event: 'mended', what: `${busid} has its drivers again.` });
    return failures.length === 0;
  }
}

function isOf(finding: Finding, { domid, busids }: Leftover): boolean {
  if ('busid' in finding && busids.includes(finding.busid)) return true;
  if ('controller' in finding && finding.controller.domid === domid) return true;
  return 'orphan' in finding && finding.orphan.domid === domid;
}
