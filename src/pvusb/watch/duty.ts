/** What a watch does for guests, one duty each; and what it reports about that. */

import type { Plan } from '../model/plan.js';
import type { Host } from '../observe/host.js';
import type { CorrectedAddress } from '../verbs/addresses.js';
import type { Attachment } from '../verbs/attach.js';
import type { OperationOptions } from '../verbs/operate.js';
import type { GuestDevice } from './guests-seen.js';
import type { Look } from './monitor.js';

/** What a watch reports. */
export type WatchEvent =
  | { readonly event: 'watching'; readonly domains: number }
  /** A guest has gained or lost a device, whatever caused it. */
  | ({ readonly event: 'attached' } & GuestDevice)
  | ({ readonly event: 'detached' } & GuestDevice)
  /** A guest is gone; what it had. */
  | {
      readonly event: 'gone';
      readonly domid: number;
      readonly name?: string | undefined;
      readonly busids: readonly string[];
    }
  /** Something that a dead guest had left behind was fixed. */
  | { readonly event: 'mended'; readonly what: string }
  /** A guest that came back has a device again. */
  | { readonly event: 'returned'; readonly name?: string | undefined; readonly attachment: Attachment }
  /** A guest does not get the device that it had, or by a rule (that will be tried again), and why. */
  | {
      readonly event: 'not-returned' | 'not-assigned';
      readonly domid: number;
      readonly name?: string | undefined;
      readonly busid: string;
      readonly why: string;
    }
  /** A guest has a device by a rule. */
  | { readonly event: 'assigned'; readonly name?: string | undefined; readonly at: Attachment }
  /** A device was pulled out, and the port that it was in is free. */
  | ({ readonly event: 'unplugged'; readonly name?: string | undefined } & Attachment)
  /** A guest's saved configuration had another address for a device that was replugged. */
  | ({ readonly event: 'corrected'; readonly name?: string | undefined } & CorrectedAddress)
  /** In a dry run: what would be done now. */
  | { readonly event: 'planned'; readonly plan: Plan }
  /** A look or a repair failed; the watch goes on. */
  | { readonly event: 'trouble'; readonly why: string };

/** Something that a watch does on its own. */
export interface OwnOperation {
  /** The verb, as on the command line. */
  readonly what: string;
  readonly request: unknown;
  /** The rule, or what happened. */
  readonly why: string;
}

/** Carries out what a watch does on its own: with the options of its operations, or with more. */
export type Carry = <T>(own: OwnOperation, body: (options: OperationOptions) => Promise<T>) => Promise<T>;

/** What every duty works with. */
export interface DutyContext {
  readonly host: Host;
  readonly carry: Carry;
  /** For every operation of a duty. */
  readonly options: OperationOptions;
  readonly tell: (event: WatchEvent) => void;
  /** Reports a failure; throws if it ends the watch. */
  readonly trouble: (error: unknown) => void;
}

/** One duty. Duties see each look in list order. */
export interface Duty {
  /** What it does takes seconds: the others do not wait for it, and it misses the looks that are made meanwhile. */
  readonly isSlow?: true;
  /** When it wants to see the host even if nothing happens; undefined: never. */
  dueMs(nowMs: number): number | undefined;
  see(look: Look): Promise<void>;
}
