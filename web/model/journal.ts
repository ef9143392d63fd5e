/** What happened, in sentences: from events, and from the audit. Pure. */
import type { StreamEvent } from '../../src/api/index.js';
import { deviceName } from './format.js';
import { guestName, type View } from './view.js';

/** So many names are listed; the rest are counted. */
const LISTED = 3;

/** A line of the journal. */
export interface Entry {
  readonly tone: 'plain' | 'good' | 'bad';
  readonly text: string;
}

/** The line for an event, with the names of what was known until then; undefined: it says nothing to people. */
export function entryOf(event: StreamEvent, view: View): Entry | undefined {
  const device = (busid: string): string => {
    const known =
      view.devices.find((one) => one.busid === busid) ?? view.gone.find((one) => one.busid === busid);
    return known ? `${known.name} (${busid})` : busid;
  };
  const guest = (domid: number): string => {
    const known = view.guests.find((one) => one.domid === domid);
    return known ? guestName(known) : `domain ${domid}`;
  };
  const plain = (text: string): Entry => ({ tone: 'plain', text });
  const bad = (text: string): Entry => ({ tone: 'bad', text });
  const good = (text: string): Entry => ({ tone: 'good', text });
  switch (event.event) {
    case 'change': {
      const { change } = event;
      if (change.change === 'device-plugged')
        return change.device.kind === 'root-hub'
          ? undefined
          : plain(`${deviceName(change.device)} (${change.device.busid}) was plugged in.`);
      if (change.change === 'device-unplugged')
        return plain(`${device(change.device.busid)} was pulled out.`);
      if (change.change === 'domain-appeared') return plain(`${guestName(change.domain)} has started.`);
      if (change.change === 'domain-gone') return plain(`${guestName(change.domain)} has ended.`);
      const at = 'port' in change ? `port ${change.port} of controller ${change.devid}` : '';
      if (change.change === 'attached')
        return good(`${device(change.busid)} is in ${at} of ${guest(change.domid)}.`);
      if (change.change === 'detached')
        return plain(`${device(change.busid)} has left ${at} of ${guest(change.domid)}.`);
      return undefined;
    }
    case 'watch': {
      const { watch } = event;
      if (watch.event === 'mended') return good(`Mended: ${watch.what}`);
      if (watch.event === 'trouble') return bad(`Trouble: ${watch.why}`);
      if (watch.event === 'not-assigned' || watch.event === 'not-returned')
        return bad(`${guest(watch.domid)} did not get ${device(watch.busid)}: ${watch.why}`);
      if (watch.event === 'assigned')
        return good(`A rule gave ${device(watch.at.busid)} to ${watch.name ?? guest(watch.at.domid)}.`);
      if (watch.event === 'returned')
        return good(`${watch.name ?? 'A guest'} is back and has ${device(watch.attachment.busid)} again.`);
      if (watch.event === 'unplugged')
        return plain(`The port of ${device(watch.busid)} in ${guest(watch.domid)} was freed.`);
      return undefined;
    }
    case 'operation':
      return event.phase === 'failed' ? bad(`Failed: ${event.what}.`) : undefined;
    case 'state':
      if (event.state === 'unreachable') return bad('xenstored does not answer; the daemon keeps trying.');
      return event.state === 'ready' ? good('The daemon is following the host.') : undefined;
    case 'reset':
      return plain('The page was disconnected for a long time: everything was read again.');
    default:
      return undefined;
  }
}

/** The line for an entry of the audit; undefined: it is not understood. */
export function entryOfAudit(
  entry: Readonly<Record<string, unknown>>,
): (Entry & { readonly time: string }) | undefined {
  const { what, who, error, devices, guests, time } = entry as {
    readonly what?: unknown;
    readonly time?: unknown;
    readonly who?: { readonly name?: unknown };
    readonly error?: { readonly message?: unknown };
    readonly devices?: readonly unknown[];
    readonly guests?: readonly { readonly name?: unknown; readonly domid?: unknown }[];
  };
  if (typeof what !== 'string' || typeof time !== 'string') return undefined;
  const about = [
    listed(Array.isArray(devices) ? devices : []),
    listed(Array.isArray(guests) ? guests.map((guest) => guest?.name ?? `domain ${guest?.domid}`) : []),
  ].filter((part) => part !== '');
  const whole = `${who?.name ?? 'somebody'}: ${what}${about.length > 0 ? ` (${about.join('; ')})` : ''}`;
  return error
    ? { tone: 'bad', text: `${whole} failed. ${error.message ?? ''}`, time }
    : { tone: 'plain', text: `${whole}.`, time };
}

/** `u1, u2 and 5 more`. */
function listed(names: readonly unknown[]): string {
  const some = names.slice(0, LISTED).map(String).join(', ');
  return names.length > LISTED ? `${some} and ${names.length - LISTED} more` : some;
}
