/** Waiting for our own backend: it follows the ports in xenstore, and shows there what became of each. */
import { DeadlineError, withDeadline } from '../../async/index.js';
import { parseBusid } from '../../sysfs/busid.js';
import { PvusbError } from '../model/errors.js';
import {
  BACKEND_ANNOUNCEMENT,
  PortState,
  parseNumber,
  portPath,
  portReasonPath,
  portStatePath,
} from '../model/layout.js';
import type { Action } from '../model/plan.js';
import { namePort } from '../model/wording.js';
import type { Host } from '../observe/host.js';
import type { Performing } from './performing.js';

type Wait = Extract<Action, { do: 'served' | 'unserved' }>;

/**
 * Waits until the backend has opened the device of a port, or has let go of it.
 *
 * @throws {PvusbError} `not-opened` with the backend's reason, `state-timeout`
 */
export async function awaitOwnBackend(host: Host, action: Wait, call: Performing): Promise<void> {
  const { signal } = call;
  const { domid, devid, port, busid, portsAt, withinMs } = action;
  const where = { domid, devid, port, busid };
  const paths = [portStatePath(portsAt, port), portReasonPath(portsAt, port), portPath(portsAt, port)];
  const changes = await host.xenstore.watch(paths[0]!, { signal });
  try {
    await withDeadline(host.clock, { withinMs, signal }, async (limited) => {
      for (;;) {
        await changes.next({ signal: limited });
        const [text, untrustedReason = '', held = ''] = await host.xenstore.readMany(paths, {
          signal: limited,
        });
        const state = parseNumber(text);
        if (action.do === 'unserved') {
          // What is shown is about a device that another toolstack has put into the port of a virtual one.
          if (held !== '' && parseBusid(busid) === undefined) return;
          // A backend that has died has let go of everything.
          if (state === undefined || !(await isServing(host))) return;
          continue;
        }
        if (state === PortState.failed) {
          const sentence = `The pvusb backend could not open ${busid}: ${untrustedReason}.`;
          throw new PvusbError('not-opened', sentence, { where });
        }
        if (state !== undefined) return;
      }
    });
  } catch (cause) {
    if (!(cause instanceof DeadlineError)) throw cause;
    const what = action.do === 'served' ? 'opened' : 'released';
    const sentence = `The pvusb backend has not ${what} ${busid} at ${namePort(call, where)} within ${withinMs / 1000} s.`;
    throw new PvusbError('state-timeout', sentence, { where, cause });
  } finally {
    await changes.close();
  }
}

async function isServing({ xenstore, isServing: ask }: Host): Promise<boolean> {
  const [announcement] = await xenstore.readMany([BACKEND_ANNOUNCEMENT]);
  return announcement !== undefined && ((await ask?.(announcement)) ?? false);
}
