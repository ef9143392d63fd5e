/**
 * The watch on guests. What a guest leaves behind is cleaned up if its toolstack does not do it, and a guest that comes
 * back (a reboot gives it a new number) gets its devices again. Guests get what rules assign to them.
 */
import { isPvusbError } from '../model/errors.js';
import { toPvusbError } from '../model/failure.js';
import type { Host } from '../observe/host.js';
import type { OperationOptions } from '../verbs/operate.js';
import { Assign } from './assign.js';
import type { Duty, DutyContext, WatchEvent } from './duty.js';
import { GuestDuty } from './guests.js';
import { GuestsSeen } from './guests-seen.js';
import { Leftovers } from './leftovers.js';
import { Monitor, type MonitorClient, type MonitorOptions } from './monitor.js';
import { Reattach } from './reattach.js';
import { Replugged } from './replugged.js';
import { AddressDuty } from './saved-addresses.js';

/** Options of {@link watchDomains}. In a dry run nothing is changed, and what would be done is reported. */
export interface WatchOptions extends OperationOptions, MonitorOptions {
  readonly onEvent?: ((event: WatchEvent) => void) | undefined;
  /** How long a toolstack may take to clean up after a guest; default 12,000 ms (more than libxl's longest wait). */
  readonly toolstackMs?: number | undefined;
  /** How long a port must be empty to count as detached, rather than as the end of its guest; default 5,000 ms. */
  readonly wishMs?: number | undefined;
}

/** Longer than libxl's longest wait. */
const TOOLSTACK_MS = 12_000;

/**
 * Watches guests come and go until the signal aborts.
 *
 * @throws {PvusbError} when the host can no longer be watched: `connection-lost`, or one of the host's
 */
export async function watchDomains(host: Host, options: WatchOptions = {}): Promise<void> {
  const { signal, dryRun, onStep, toolstackMs = TOOLSTACK_MS, wishMs } = options;
  const tell = options.onEvent ?? (() => undefined);
  const trouble = (error: unknown): void => {
    if (signal?.aborted || isPvusbError(error, 'connection-lost')) throw error;
    tell({ event: 'trouble', why: error instanceof Error ? error.message : String(error) });
  };
  const context: DutyContext = { host, options: { signal, dryRun, onStep }, tell, trouble };
  const seen = new GuestsSeen({ wishMs });
  const leftovers = new Leftovers(context, toolstackMs);
  const duties: readonly Duty[] = [
    new GuestDuty(context, seen, leftovers),
    new AddressDuty(context),
    new Reattach(context, seen),
    new Replugged(context),
    new Assign(context),
    leftovers,
  ];
  const client: MonitorClient = {
    dueMs(nowMs) {
      const dues = duties.flatMap((duty) => duty.dueMs(nowMs) ?? []);
      return dues.length === 0 ? undefined : Math.min(...dues);
    },
    async see(look) {
      for (const duty of duties) await duty.see(look);
    },
    trouble,
  };
  const monitor = new Monitor(host, { ...options, details: host.rules !== undefined });
  const deafen = host.rules?.listen?.(() => monitor.stir());
  try {
    await monitor.run(client);
  } catch (error) {
    if (signal?.aborted) return;
    throw toPvusbError(error, { doing: 'watching domains', signal });
  } finally {
    deafen?.();
  }
}
