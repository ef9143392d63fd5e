/** What an operation came to, as the audit writes it. */
import type { AuditEntry } from '../audit/index.js';
import { domainAt, findDomain, type Inventory, isPvusbError } from '../pvusb/index.js';
import { parseDeviceName } from '../sysfs/index.js';
import type { OperationRecord } from './service.js';

/** Deeper than any request or result. */
const DEPTH_MAX = 6;

/** The entry; names of guests are those of the latest look. */
export function auditEntry(record: OperationRecord, seen: Inventory | undefined): AuditEntry {
  const { asked, operation, steps, result, error } = record;
  const { by, what, request, why } = asked;
  const about = new About(seen);
  about.add(request);
  about.add(result);
  about.add(record.about.busids, 'busid');
  about.add(record.about.domids, 'domid');
  const { name, via, role, uid, gid, pid } = by;
  return {
    who: { name, via, role, uid, gid, pid },
    what,
    request,
    ...(why === undefined ? {} : { why }),
    operation,
    guests: about.guests,
    devices: about.devices,
    steps,
    ...(error === undefined ? { result: plain(result) } : { error: failureOf(error) }),
  };
}

function failureOf(error: unknown): NonNullable<AuditEntry['error']> {
  const message = error instanceof Error ? error.message : String(error);
  // A command that a launcher has handed over has printed why.
  const cause = error instanceof Error && !isPvusbError(error) ? error.cause : error;
  if (!isPvusbError(cause)) return { code: 'internal', message };
  const { code, leftOver } = cause;
  return leftOver.length === 0 ? { code, message } : { code, message, leftOver };
}

/** The plan is in the steps already. */
function plain(result: unknown): unknown {
  if (typeof result !== 'object' || result === null || Array.isArray(result)) return result;
  const { plan: _plan, plans: _plans, ...rest } = result as Record<string, unknown>;
  return rest;
}

/** The guests and devices that data names. */
class About {
  readonly #seen: Inventory | undefined;
  readonly #domids = new Set<number>();
  readonly #busids = new Set<string>();

  constructor(seen: Inventory | undefined) {
    this.#seen = seen;
  }

  get guests(): NonNullable<AuditEntry['guests']> {
    return [...this.#domids].map((domid) => {
      const { name, uuid } = (this.#seen && domainAt(this.#seen, domid)) ?? {};
      return { domid, ...(name === undefined ? {} : { name }), ...(uuid === undefined ? {} : { uuid }) };
    });
  }

  get devices(): readonly string[] {
    return [...this.#busids];
  }

  add(data: unknown, key = '', depth = 0): void {
    if (depth > DEPTH_MAX) return;
    if (Array.isArray(data)) for (const one of data) this.add(one, key, depth + 1);
    else if (typeof data === 'object' && data !== null) {
      for (const [name, value] of Object.entries(data)) {
        // A plan names more than what was asked for.
        if (name !== 'plan' && name !== 'plans') this.add(value, name, depth + 1);
      }
    } else this.#addOne(data, key);
  }

  #addOne(data: unknown, key: string): void {
    if (key === 'domid' && typeof data === 'number') this.#domids.add(data);
    else if (key === 'domain' && (typeof data === 'string' || typeof data === 'number')) {
      const domid = this.#numberOf(data);
      if (domid !== undefined) this.#domids.add(domid);
    } else if ((key === 'busid' || key === 'device') && typeof data === 'string') {
      const busid = parseDeviceName(data);
      if (busid !== undefined) this.#busids.add(busid);
    }
  }

  #numberOf(name: string | number): number | undefined {
    try {
      return this.#seen && findDomain(this.#seen, name).domid;
    } catch {
      return undefined;
    }
  }
}
