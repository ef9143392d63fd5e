/** `pvusb attach` and `pvusb detach`. */

import type { AttachedAnswer, DetachedAnswer } from '../../client/index.js';
import { assign } from '../../commands/index.js';
import {
  type Attached,
  attachDevice,
  attachVirtual,
  detachDevice,
  isMeantAsVirtual,
  notVirtual,
  type PortState,
  parseVirtualName,
} from '../../pvusb/index.js';
import { printable } from '../../sysfs/index.js';
import { act, type Done, done } from '../act.js';
import { type CommonOptions, planned, printJson, printOutcome, withHost } from '../context.js';
import { requireHere, usageError } from '../report.js';
import type { Terminal } from '../terminal.js';
import { asTyped, nameDevice } from '../wording.js';
import { parseDevid, parsePort } from '../xl/grammar.js';
import { describeAdded } from './assign.js';

/** Options of `attach`. */
export interface AttachOptions extends CommonOptions {
  readonly controller?: string;
  readonly port?: string;
  /** Why, if the host needs the device. */
  readonly force?: string;
  /** Also makes a rule. */
  readonly always?: boolean;
}

/** Attaches a device, named in any way, or a virtual device to a domain. */
export async function runAttach(
  terminal: Terminal,
  args: { readonly domain: string; readonly device: string },
  options: AttachOptions,
): Promise<void> {
  const devid = options.controller === undefined ? undefined : parseDevid(options.controller);
  const port = options.port === undefined ? undefined : parsePort(options.port);
  if (isMeantAsVirtual(args.device)) return runAttachVirtual(terminal, { ...args, devid, port }, options);
  const { force, always } = options;
  const request = { ...args, devid, port, force };
  const tell = (outcome: Done<Attached>): void =>
    printOutcome(terminal, options, outcome, (attached) => describeAttached(attached, args));
  const { plans, result } = await act<Done<AttachedAnswer>>(terminal, options, {
    async here(host, operation) {
      const outcome = done(await attachDevice(host, request, operation));
      if (!always) return outcome;
      // Even if there can be no rule, it is attached.
      if (!options.json) tell(outcome);
      // By what was attached, and where: not by the names that were typed, which may mean something else by now.
      const { busid, domid } = outcome.result;
      const rule = await assign(host, { domain: `${domid}`, device: busid, mode: 'auto' }, operation);
      return { ...outcome, result: { ...outcome.result, rule } };
    },
    async there(daemon, asked, call) {
      const outcome = await daemon.attach({ ...request, always, ...asked }, call);
      if (always && !options.json) tell(outcome);
      return outcome;
    },
  });
  const { rule, ...attached } = result;
  if (!rule) tell({ plans, result: attached });
  else if (!options.json) terminal.out(describeAdded(rule, options));
  else printJson(terminal, { ...(options.dryRun ? planned(plans, attached) : attached), rule });
}

/** Only on the host itself, where root may read every file: others could read them through a guest. */
async function runAttachVirtual(
  terminal: Terminal,
  request: {
    readonly domain: string;
    readonly device: string;
    readonly devid?: number;
    readonly port?: number;
  },
  options: AttachOptions,
): Promise<void> {
  const device = parseVirtualName(request.device);
  if (device === undefined) throw notVirtual(request.device);
  if (options.always || options.force !== undefined) {
    const option = options.always ? '--always' : '--force';
    throw usageError(`${option} does not apply to a virtual device.`, 'pvusb attach');
  }
  requireHere(terminal, `attach DOMAIN ${printable(device)}`);
  await withHost(terminal, options, async (host, operation) => {
    const outcome = done(await attachVirtual(host, { ...request, device }, operation));
    printOutcome(terminal, options, outcome, ({ virtual, devid, port, state }) => {
      const domain = asTyped(request.domain);
      const sentence = `${printable(virtual)} is attached to port ${port} of controller ${devid} of domain ${domain}.`;
      return describeTaken(sentence, state, domain);
    });
  });
}

/**
 * Given is not yet taken: also says what has become of it, and what the host has lost. `named` is what domain and device
 * were called by who asked.
 */
export function describeAttached(
  { busid, domid, devid, port, state, usedByHost = [] }: Omit<Attached, 'type'>,
  named: { readonly domain: string | number; readonly device: string } = { domain: domid, device: busid },
): string {
  const [device, domain] = [nameDevice(busid, named.device), asTyped(named.domain)];
  const attached = `${device} is attached to port ${port} of controller ${devid} of domain ${domain}.`;
  const lost = usedByHost.map(({ sentence }) => sentence).join('; ');
  const given = lost === '' ? attached : `${attached}\nThe host was using it: ${lost}.`;
  return describeTaken(given, state, domain);
}

function describeTaken(given: string, state: PortState | undefined, domain: string): string {
  switch (state) {
    case undefined:
    case 'in-use':
      return given;
    case 'waiting':
      return `${given}\nThe guest has not taken it yet; "pvusb list ${domain}" shows when it does. If it never does, its kernel may\nhave no PVUSB driver (xen-hcd): see docs/guests.md.`;
    case 'not-opened':
      return `${given}\nBut the guest no longer has it: see "pvusb doctor".`;
    case 'other-device':
      return `${given}\nBut another device is in that socket now: see "pvusb doctor".`;
    case 'missing':
      return `${given}\nBut it has since been pulled out.`;
  }
}

/** Options of `detach`. */
export interface DetachOptions extends CommonOptions {
  readonly domain?: string;
}

/** Detaches a device by its name (`detach 4-1`), or whatever is in a port (`detach u1 0 1`). */
export async function runDetach(
  terminal: Terminal,
  names: readonly string[],
  options: DetachOptions,
): Promise<void> {
  const request = detachRequest(names, options);
  const outcome = await act<Done<DetachedAnswer>>(terminal, options, {
    here: async (host, operation) => done(await detachDevice(host, request, operation)),
    there: (daemon, asked, call) => daemon.detach({ ...request, ...asked }, call),
  });
  printOutcome(terminal, options, outcome, ({ busid, virtual, domid, devid, port }) => {
    const other = virtual === undefined ? 'What was there' : printable(virtual);
    const device = busid === undefined ? other : nameDevice(busid, request.device ?? busid);
    const domain = asTyped(request.domain ?? domid);
    return `${device} is detached from port ${port} of controller ${devid} of domain ${domain}.`;
  });
}

function detachRequest(names: readonly string[], options: DetachOptions) {
  const [first, controller, port] = names;
  if (names.length === 1) return { device: first!, domain: options.domain };
  if (names.length === 3 && options.domain === undefined) {
    return { domain: first!, devid: parseDevid(controller!), port: parsePort(port!) };
  }
  const sentence =
    'detach takes a device ("pvusb detach 4-1"), or a domain, controller and port ("pvusb detach u1 0 1").';
  throw usageError(sentence, 'pvusb detach');
}
