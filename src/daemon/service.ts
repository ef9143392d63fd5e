/** The daemon as its doors see it: the API, the command line's socket, the duties. */
import type { AskRequest, Numbered, Role, ServiceState } from '../api/index.js';
import type { AuditEntry } from '../audit/index.js';
import type { Host, Inventory, OperationOptions, Plan, Subjects } from '../pvusb/index.js';

export type { AskRequest, DaemonEvent, Numbered, OperationPhase, Role, ServiceState } from '../api/index.js';

/** Who asks for something, as far as the daemon knows. Never what a request says about itself. */
export interface Actor {
  /** `root`, `uid 1000`, `token rack-tablet`, `daemon`. */
  readonly name: string;
  /** How they came: the Unix socket, TCP, the command line's socket; or the daemon itself. */
  readonly via: 'unix' | 'tcp' | 'command' | 'daemon';
  readonly role: Role;
  /** Of a peer on a Unix socket (`SO_PEERCRED`). */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** May be another process by the time it is read: numbers are used again. */
  readonly pid?: number | undefined;
  /** An operator's guests, by name or uuid; absent: all. */
  readonly guests?: readonly string[] | undefined;
  /** An operator's devices, by busid or ids; absent: all. */
  readonly devices?: readonly string[] | undefined;
}

/** An operation that somebody asks for. */
export interface Asked {
  /** The verb, as on the command line: `attach`, `controller add`. */
  readonly what: string;
  readonly by: Actor;
  /** What was asked, as data that can be written as JSON. */
  readonly request: unknown;
  /** Why: the rule, or the reason given with `force`. */
  readonly why?: string | undefined;
  /** An id that the asker chose, so that it knows its steps among the events; one is made up if absent. */
  readonly operation?: string | undefined;
  readonly dryRun?: boolean | undefined;
  /** Aborts when the asker goes away; what was begun is undone. */
  readonly signal?: AbortSignal | undefined;
}

/** What an operation came to, for the audit. */
export interface OperationRecord {
  readonly asked: Asked;
  readonly operation: string;
  readonly steps: AuditEntry['steps'];
  /** What its plans were about. */
  readonly about: Subjects;
  /** Absent if it failed. */
  readonly result?: unknown;
  readonly error?: unknown;
}

/** The latest events. */
export interface EventLog {
  /** The id of the latest event. */
  readonly lastId: string;
  /** The events after `id`, oldest first; undefined if they are no longer known: then look at everything again. */
  since(id: string): readonly Numbered[] | undefined;
  /** Calls `hear` with each event from now on; returns what ends that. */
  listen(hear: (numbered: Numbered) => void): () => void;
}

/** What the daemon offers. */
export interface Service {
  readonly state: ServiceState;
  readonly events: EventLog;
  /** The host as it was last seen; undefined before that. Events tell what has changed since. */
  readonly seen: Inventory | undefined;
  /** Those waiting for a word. */
  readonly requests: readonly AskRequest[];
  /**
   * The host as it is now; only what has changed since the last look is read.
   *
   * @throws {PvusbError} of the host's group
   */
  inventory(signal?: AbortSignal): Promise<Inventory>;
  /**
   * Gives the host to what only looks.
   *
   * @throws {PvusbError} `xenstore-unreachable` while xenstored is gone
   */
  reading<T>(body: (host: Host) => Promise<T>): Promise<T>;
  /**
   * Runs an operation: its steps are events, and it is audited. `body` gets the host and the options to pass on.
   *
   * @throws what `body` throws; {PvusbError} `xenstore-unreachable` while xenstored is gone
   */
  operate<T>(asked: Asked, body: (host: Host, options: OperationOptions) => Promise<T>): Promise<T>;
  /**
   * Answers a request: the guest gets the device, or not until it is plugged in again. Gives the plans that it took, or
   * in a dry run would take.
   *
   * @throws {PvusbError} `no-such-request`, or why it could not be attached
   */
  answer(
    id: string,
    isGranted: boolean,
    asked: Omit<Asked, 'what' | 'request'> & Pick<OperationOptions, 'onLook'>,
  ): Promise<readonly Plan[]>;
}
