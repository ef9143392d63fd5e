/** The differences of a host, one by one, for programs. */
import type { InventoryChange } from '../model/difference.js';
import { isPvusbError } from '../model/errors.js';
import { toPvusbError } from '../model/failure.js';
import type { Inventory } from '../model/inventory.js';
import type { Host } from '../observe/host.js';
import { Monitor, type MonitorClient, type MonitorOptions } from './monitor.js';

/** Options of {@link followHost}. */
export interface FollowOptions extends MonitorOptions {
  /** Called once, with the host as it is now. */
  readonly onStart?: ((inventory: Inventory) => void) | undefined;
  /** Called with each change from then on. */
  readonly onChange?: ((change: InventoryChange) => void) | undefined;
}

/**
 * Reports how a host changes until the signal aborts: first the host as it is, then each difference. It changes
 * nothing.
 *
 * @throws {PvusbError} when the host can no longer be followed: `connection-lost`, or one of the host's
 */
export async function followHost(host: Host, options: FollowOptions = {}): Promise<void> {
  const client: MonitorClient = {
    dueMs: () => undefined,
    async see({ inventory, changes, isFirst }) {
      if (isFirst) options.onStart?.(inventory);
      for (const change of changes) options.onChange?.(change);
    },
    trouble(error) {
      if (isPvusbError(error, 'connection-lost')) throw error;
    },
  };
  try {
    await new Monitor(host, options).run(client);
  } catch (error) {
    if (options.signal?.aborted) return;
    throw toPvusbError(error, { doing: 'following the host', signal: options.signal });
  }
}
