/** What guests leave behind: it is looked after when their toolstacks have had their time. */
import type { Busid } from '../../sysfs/index.js';
import { describeFinding } from '../diagnose/wording.js';
import type { Finding } from '../model/finding.js';
import type { Host } from '../observe/host.js';
import { doctor } from '../verbs/doctor.js';

/** What a dead guest leaves. */
const LEFT: ReadonlySet<Finding['finding']> = new Set([
  'dead-domain',
  'orphan-backend',
  'stale-saved-driver',
  'binding-without-port',
]);

/** A guest that is gone, or one that has lost a device. */
interface Leaving {
  readonly domid?: number;
  /** What it had: a QEMU that has died does not give its devices back. */
  readonly busids: readonly Busid[];
  readonly sinceMs: number;
}

/** Leavings, and when to look after them. */
export class Leavings {
  readonly #toolstackMs: number;
  #left: Leaving[] = [];

  /** @param toolstackMs how long a toolstack may take to clean up by itself */
  constructor(toolstackMs: number) {
    this.#toolstackMs = toolstackMs;
  }

  /** Something may be left from now on. */
  add(...leavings: readonly Leaving[]): void {
    this.#left.push(...leavings);
  }

  /** When the first of them is to be looked after; undefined when there is none. */
  get dueMs(): number | undefined {
    if (this.#left.length === 0) return undefined;
    return Math.min(...this.#left.map(({ sinceMs }) => sinceMs)) + this.#toolstackMs;
  }

  /**
   * Mends what is due, if it lasts; not where a toolstack may still be at work. What could not be mended is due again after as
   * long a time.
   *
   * @throws {PvusbError} when the host cannot be looked at
   */
  async mend(host: Host, nowMs: number, signal: AbortSignal | undefined) {
    const ripeMs = nowMs - this.#toolstackMs;
    const ripe = this.#left.filter(({ sinceMs }) => sinceMs <= ripeMs);
    const recent = this.#left.filter(({ sinceMs }) => sinceMs > ripeMs);
    this.#left = recent;
    const had = new Set(ripe.flatMap(({ busids }) => busids));
    let isDone = false;
    try {
      const { findings, remaining, failures, revived } = await doctor(host, {
        fix: true,
        signal,
        revivable: (busid) => had.has(busid),
        only: (finding) => LEFT.has(finding.finding) && !recent.some((leaving) => isOf(finding, leaving)),
      });
      isDone = failures.length === 0;
      const left = new Set(remaining.map(describeFinding));
      const mended = findings.map(describeFinding).filter((what) => !left.has(what));
      return { mended: [...mended, ...revived.map((busid) => `${busid} has its drivers again.`)], failures };
    } finally {
      if (!isDone) this.add(...ripe.map((leaving) => ({ ...leaving, sinceMs: nowMs })));
    }
  }
}

function isOf(finding: Finding, { domid, busids }: Leaving): boolean {
  if ('busid' in finding && busids.includes(finding.busid)) return true;
  if ('controller' in finding && finding.controller.domid === domid) return true;
  return 'orphan' in finding && finding.orphan.domid === domid;
}
