/** What a controller is made of, and what it tells. */
import type { Clock } from '../async/index.js';
import type { Blocks } from './blocks.js';
import type { EventChannel, GuestMemory } from './boundary.js';
import type { Budget } from './budget.js';
import type { FirewallRule } from './firewall.js';
import type { Journal } from './journal.js';
import type { Tracer } from './transfers.js';

/** How a port is seen from the host: its device is open, and the guest has configured it. */
export type PortProgress = 'opened' | 'configured';

/** What a controller tells. */
interface ControllerListener {
  /** The guest has broken the protocol: nothing of it is read any more. */
  broken(reason: string): void;
  /** What has become of a port; undefined: its device is gone. */
  portChanged(port: number, progress: PortProgress | undefined): void;
  /** Something that whoever looks after the host should know. */
  log(message: string): void;
}

/** What a controller is made of. */
export interface ControllerParts {
  readonly domid: number;
  readonly portCount: number;
  /** USB 1.1 or 2: a guest with a controller of version 1 cannot be told of high speed. */
  readonly version: number;
  readonly memory: GuestMemory;
  readonly channel: EventChannel;
  /** Begun, or left by an earlier backend of the same connection. */
  readonly journal: Journal;
  /** Shared by all controllers. */
  readonly blocks: Blocks;
  readonly budget: Budget;
  readonly rules: readonly FirewallRule[];
  readonly clock: Clock;
  readonly listener: ControllerListener;
  readonly tracer?: Tracer | undefined;
}
