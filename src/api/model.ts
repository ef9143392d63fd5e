/** What the daemon and those who speak to it have in common. Plain data. */
import type { InventoryChange, Progress, WatchEvent } from '../pvusb/index.js';

/** `viewer` may look; `operator` may also operate, on some or all guests and devices; `admin` may do everything. */
export type Role = 'viewer' | 'operator' | 'admin';

/** A device that a rule of mode `ask` would give to a guest, waiting for approval. */
export interface AskRequest {
  /** Stays the same as long as the request waits. */
  readonly id: string;
  readonly busid: string;
  readonly domid: number;
  readonly guest?: string | undefined;
  /** The rule, as `assignments.conf:4`. */
  readonly rule: string;
}

/** An event that the daemon sends to all listeners. */
export type DaemonEvent =
  | { readonly event: 'change'; readonly change: InventoryChange }
  | { readonly event: 'watch'; readonly watch: WatchEvent }
  | {
      readonly event: 'operation';
      readonly operation: string;
      readonly what: string;
      readonly phase: OperationPhase;
    }
  | {
      readonly event: 'step';
      readonly operation: string;
      readonly why: string;
      readonly phase: Progress['phase'];
      /** Which one of how many, from 1. */
      readonly step: number;
      readonly steps: number;
    }
  /** All requests that are waiting now. */
  | { readonly event: 'requests'; readonly requests: readonly AskRequest[] }
  /** The state of the assignments has changed: a rule, or a device or guest that a rule is about. */
  | { readonly event: 'assignments' }
  | { readonly event: 'state'; readonly state: ServiceState }
  /** xenstored is back: anything may have changed in the meantime. */
  | { readonly event: 'renewed' };

/** How far an operation is. */
export type OperationPhase = 'begin' | 'done' | 'failed';

/** `unreachable`: xenstored is gone, and is tried again. */
export type ServiceState = 'starting' | 'ready' | 'unreachable';

/** An event with its number, by which a stream is resumed: `<start of the daemon>-<count>`. */
export interface Numbered {
  readonly id: string;
  readonly event: DaemonEvent;
}

/**
 * What a stream of events carries besides: `start`, at its beginning: what comes next happened after this; `reset`: the
 * events since the one named are no longer known: look at everything again.
 */
export type StreamEvent = DaemonEvent | { readonly event: 'start' } | { readonly event: 'reset' };

/** An event of a stream, with the id by which it is resumed. */
export interface Streamed {
  readonly id: string;
  readonly event: StreamEvent;
}
