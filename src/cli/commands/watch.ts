/** `pvusb watch` and `pvusb release`: guests that come and go. */

import {
  formatPlan,
  labelDomain,
  type Released,
  releaseDomain,
  type WatchEvent,
  watchDomains,
} from '../../pvusb/index.js';
import { printable } from '../../sysfs/index.js';
import { act, done } from '../act.js';
import { type CommonOptions, printOutcome, withHost } from '../context.js';
import { printableJsonLine } from '../printable.js';
import type { Terminal } from '../terminal.js';
import { asTyped } from '../wording.js';
import { describeAttached } from './attach.js';

/**
 * Watches until it is stopped; prints what happens, or in a dry run what would be done, one line each (with --json, one
 * object per line).
 */
export async function runWatch(terminal: Terminal, options: CommonOptions): Promise<void> {
  await withHost(terminal, options, async (host, operation) => {
    const onEvent = (event: WatchEvent): void => {
      terminal.out(`${options.json ? printableJsonLine(event) : describeEvent(event)}\n`);
    };
    // It may run for months, writing to a log: no progress line.
    const { signal, dryRun } = operation;
    await watchDomains(host, { signal, dryRun, onEvent });
  });
}

/** An event as a line. Its texts may repeat what guests, devices and files say. */
export function describeEvent(event: WatchEvent): string {
  switch (event.event) {
    case 'watching':
      return `Watching ${event.domains} ${event.domains === 1 ? 'guest' : 'guests'}.`;
    case 'attached':
      return `${labelDomain(event, 'Domain')} has ${event.busid} now.`;
    case 'detached':
      return `${labelDomain(event, 'Domain')} no longer has ${event.busid}.`;
    case 'gone': {
      const had = event.busids.length === 0 ? '' : ` It had ${event.busids.join(', ')}.`;
      return `${labelDomain(event, 'Domain')} is gone.${had}`;
    }
    case 'mended':
      return `Fixed: ${printable(event.what)}`;
    case 'returned': {
      const { attachment, name } = event;
      const guest = { domid: attachment.domid, name };
      return `${labelDomain(guest, 'Domain')} is back: ${describeAttached(attachment, { domain: name ?? attachment.domid, device: attachment.busid })}`;
    }
    case 'not-returned':
      return `${event.busid} was not attached to ${labelDomain(event)} again: ${printable(event.why)}`;
    case 'assigned': {
      const { busid, devid, port } = event.at;
      return `${labelDomain({ domid: event.at.domid, name: event.name }, 'Domain')} gets ${busid} by a rule: controller ${devid}, port ${port}.`;
    }
    case 'not-assigned':
      return `${event.busid} was not attached to ${labelDomain(event)} as a rule demands: ${printable(event.why)}`;
    case 'unplugged':
      return `${event.busid} was pulled out: port ${event.port} of controller ${event.devid} of ${labelDomain(event)} is free.`;
    case 'corrected':
      return `The saved configuration of ${labelDomain(event)} has ${event.busid} at ${event.hostbus}.${event.hostaddr} now.`;
    case 'planned':
      return `Would ${formatPlan(event.plan).trimEnd()}`;
    case 'trouble':
      return `Problem: ${printable(event.why)}`;
  }
}

/** Takes everything from a domain. */
export async function runRelease(terminal: Terminal, domain: string, options: CommonOptions): Promise<void> {
  const outcome = await act(terminal, options, {
    here: async (host, operation) => done(await releaseDomain(host, { domain }, operation)),
    there: (daemon, asked, call) => daemon.release({ domain, ...asked }, call),
  });
  printOutcome(terminal, options, outcome, (released) => describeReleased(released, domain));
}

function describeReleased({ devids, busids }: Released, typed: string): string {
  const domain = `Domain ${asTyped(typed)}`;
  if (devids.length === 0) return `${domain} has no USB controller.`;
  const controllers = `controller${devids.length === 1 ? '' : 's'} ${devids.join(', ')}`;
  const devices = busids.length === 0 ? 'no device' : busids.join(', ');
  return `${domain} is released: ${controllers}, ${devices}.`;
}
