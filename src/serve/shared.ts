/** What the controllers of one backend share. */
import type { Clock } from '../async/index.js';
import type { Blocks } from '../backend/blocks.js';
import type { Budget } from '../backend/budget.js';
import type { FirewallRule } from '../backend/firewall.js';
import type { Tracer } from '../backend/transfers.js';
import type { VirtualName } from '../pvusb/model/virtual.js';
import type { XenstoreClient } from '../xenstore/index.js';
import type { Machine } from './machine.js';
import type { Home } from './recorded.js';

/** What all controllers share. */
export interface Shared {
  readonly client: XenstoreClient;
  readonly home: Home;
  readonly machine: Machine;
  readonly blocks: Blocks;
  readonly budget: Budget;
  readonly rules: readonly FirewallRule[];
  readonly clock: Clock;
  /** A virtual device that is in that port whatever xenstore says. */
  readonly virtual: (domid: number, devid: number, port: number) => VirtualName | undefined;
  readonly tracer: (domid: number) => Tracer | undefined;
  /** A device can be opened again: another port may have wanted it. */
  readonly released: () => void;
  readonly log: (message: string) => void;
}
