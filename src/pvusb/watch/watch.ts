/**
 * The watch on guests. What a guest leaves behind is cleaned up if its toolstack does not do it, and a guest that comes
 * back (a reboot gives it a new number) gets its devices again. Guests get what rules assign to them.
 */
import { KeyedMutex } from '../../async/index.js';
import { isPvusbError } from '../model/errors.js';
import { toPvusbError } from '../model/failure.js';
import type { Host } from '../observe/host.js';
import type { Assignment } from '../plan/assigned.js';
import type { OperationOptions } from '../verbs/operate.js';
import { Assign } from './assign.js';
import type { Carry, Duty, DutyContext, WatchEvent } from './duty.js';
import { GuestDuty } from './guests.js';
import { GuestsSeen } from './guests-seen.js';
import { Leftovers } from './leftovers.js';
import { type Look, Monitor, type MonitorClient, type MonitorOptions } from './monitor.js';
import { Reattach } from './reattach.js';
import { Replugged } from './replugged.js';
import { AddressDuty } from './saved-addresses.js';
import { Unplugged } from './unplugged.js';

/** Options of {@link watchDomains}. In a dry run nothing is changed, and what would be done is reported. */
export interface WatchOptions extends Omit<OperationOptions, 'onLook'>, MonitorOptions {
  readonly onEvent?: ((event: WatchEvent) => void) | undefined;
  /** How long a toolstack may take to clean up after a guest; default 12,000 ms (more than libxl's longest wait). */
  readonly toolstackMs?: number | undefined;
  /** How long a port must be empty to count as detached, rather than as the end of its guest; default 5,000 ms. */
  readonly wishMs?: number | undefined;
  /** A device that is pulled out is taken from its guest at once, so that the guest does not get the next one in that socket. */
  readonly freesPorts?: boolean | undefined;
  /** Called once, with the host as the watch knows it: operations on it read only what has changed. */
  readonly onHost?: ((host: Host) => void) | undefined;
  /** Carries out what the watch does on its own, so that the caller can keep a record of it. */
  readonly carry?: Carry | undefined;
  /** Called with the state of the assignments whenever it may have changed. */
  readonly onAssignments?: ((assignments: readonly Assignment[]) => void) | undefined;
  /** Called with each look, before anything is done about it. */
  readonly onSeen?: ((look: Look) => void) | undefined;
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
  const monitor = new Monitor(host, { ...options, details: host.rules !== undefined });
  const deviceTurns = host.deviceTurns ?? new KeyedMutex<string>();
  const followed: Host = { ...host, deviceTurns, latest: (call) => monitor.latest(call) };
  const operation: OperationOptions = { signal, dryRun, onStep };
  const carry = options.carry ?? ((_, body) => body(operation));
  const context: DutyContext = { host: followed, carry, options: operation, tell, trouble };
  const seen = new GuestsSeen({ wishMs });
  const leftovers = new Leftovers(context, toolstackMs);
  const duties: readonly Duty[] = [
    new GuestDuty(context, seen, leftovers),
    ...(options.freesPorts ? [new Unplugged(context)] : []),
    new AddressDuty(context),
    new Reattach(context, seen),
    new Replugged(context),
    new Assign(context, options.onAssignments),
    leftovers,
  ];
  const busy = new Map<Duty, Promise<void>>();
  /** Slow duties that have missed a look. */
  const behind = new Set<Duty>();
  const apart = async (duty: Duty, look: Look): Promise<void> => {
    try {
      await duty.see(look);
    } catch (error) {
      monitor.fail(error);
    } finally {
      busy.delete(duty);
      // Without a look that it missed nothing is to be looked at: one that is made anyway would go on for ever.
      if (behind.delete(duty)) monitor.stir();
      else monitor.dueAnew();
    }
  };
  const client: MonitorClient = {
    dueMs(nowMs) {
      const dues = duties.flatMap((duty) => (busy.has(duty) ? [] : (duty.dueMs(nowMs) ?? [])));
      return dues.length === 0 ? undefined : Math.min(...dues);
    },
    async see(look) {
      if (look.isFirst) options.onHost?.(followed);
      options.onSeen?.(look);
      for (const duty of duties) {
        if (!duty.isSlow) await duty.see(look);
        else if (busy.has(duty)) behind.add(duty);
        else busy.set(duty, apart(duty, look));
      }
    },
    trouble,
  };
  const deafen = host.rules?.listen?.(() => monitor.stir());
  try {
    await monitor.run(client);
  } catch (error) {
    if (signal?.aborted) return;
    throw toPvusbError(error, { doing: 'watching domains', signal });
  } finally {
    deafen?.();
    await Promise.all(busy.values());
  }
}
