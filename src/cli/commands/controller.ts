/** `pvusb controller add|remove|destroy|info`. */

import {
  addController,
  type Controller,
  type ControllerDetails,
  controllerInfo,
  countPorts,
  libxlControllerInfo,
  type QemuAnswer,
  removeController,
  traitsOf,
  type UntrustedFrontend,
} from '../../pvusb/index.js';
import { printable } from '../../sysfs/index.js';
import { act, done } from '../act.js';
import { type CommonOptions, printJson, printOutcome } from '../context.js';
import { usageError } from '../report.js';
import type { Terminal } from '../terminal.js';
import { asTyped, describeState } from '../wording.js';
import { parseControllerSpec, parseDevid } from '../xl/grammar.js';

/** Options of `controller add`. */
export interface AddOptions extends CommonOptions {
  readonly type?: string;
  readonly usb?: string;
  /** xl's word for it, which is refused: everywhere else it asks for that of pvusb. */
  readonly version?: string | boolean;
  readonly ports?: string;
  readonly devid?: string;
}

/** Adds a controller. */
export async function runControllerAdd(
  terminal: Terminal,
  domain: string,
  options: AddOptions,
): Promise<void> {
  if (options.version !== undefined) {
    const number = typeof options.version === 'string' ? options.version : 'N';
    const sentence = `The USB version of a controller is --usb ${number}, not --version.`;
    throw usageError(sentence, 'pvusb controller add');
  }
  const spec = { type: options.type, version: options.usb, ports: options.ports };
  const pairs = Object.entries(spec).flatMap(([key, value]) =>
    value === undefined ? [] : `${key}=${value}`,
  );
  const devid = options.devid === undefined ? undefined : parseDevid(options.devid);
  const request = { domain, devid, ...parseControllerSpec(pairs) };
  const outcome = await act(terminal, options, {
    here: async (host, operation) => done(await addController(host, request, operation)),
    there: (daemon, asked, call) => daemon.controllerAdd({ ...request, ...asked }, call),
  });
  printOutcome(terminal, options, outcome, ({ devid: made, type, version, ports }) => {
    return `Domain ${asTyped(domain)} has USB controller ${made} now: ${type}, USB ${version}, ${countPorts(ports)}.`;
  });
}

/** Removes a controller; with `destroy` the guest is not waited for. */
export async function runControllerRemove(
  terminal: Terminal,
  args: { readonly domain: string; readonly devid: string; readonly destroy: boolean },
  options: CommonOptions,
): Promise<void> {
  const { domain, destroy } = args;
  const request = { domain, devid: parseDevid(args.devid) };
  const outcome = await act(terminal, options, {
    here: async (host, operation) => done(await removeController(host, { ...request, destroy }, operation)),
    there: (daemon, asked, call) =>
      destroy
        ? daemon.controllerDestroy({ ...request, ...asked }, call)
        : daemon.controllerRemove({ ...request, ...asked }, call),
  });
  printOutcome(
    terminal,
    options,
    outcome,
    ({ devid }) => `Controller ${devid} of domain ${asTyped(domain)} is removed.`,
  );
}

/** Shows everything about a controller. */
export async function runControllerInfo(
  terminal: Terminal,
  args: { readonly domain: string; readonly devid: string },
  options: CommonOptions,
): Promise<void> {
  const request = { domain: args.domain, devid: parseDevid(args.devid) };
  const controller = await act(terminal, options, {
    here: (host, { signal }) => controllerInfo(host, request, { signal }),
    there: (daemon, _, call) => daemon.controllerInfo(request, call),
  });
  if (options.jsonLibxl) printJson(terminal, libxlControllerInfo(controller));
  else if (options.json) printJson(terminal, controller);
  else terminal.out(formatController(controller));
}

function formatController(controller: ControllerDetails): string {
  const { untrustedFrontend: guest, qemu } = controller;
  const type = traitsOf(controller);
  const taken = controller.ports.flatMap(({ port, busid, virtual }) => {
    const device = busid ?? (virtual === undefined ? undefined : printable(virtual));
    return device === undefined ? [] : `${device} in port ${port}`;
  });
  const forced = (controller.forced ?? []).map(({ busid, reason }): [string, string] => [
    'forced',
    `${busid}: ${printable(reason)}`,
  ]);
  const lines: [string, string][] = [
    ['domain', String(controller.domid)],
    ['controller', String(controller.devid)],
    ['type', controller.type],
    ['USB version', String(controller.version)],
    ['ports', `${controller.portCount}${taken.length === 0 ? ', all free' : `: ${taken.join(', ')}`}`],
    ...forced,
    ...(type ? [['served by', controller.server ?? type.server] satisfies [string, string]] : []),
    ...(qemu ? [['QEMU', describeQemu(qemu, controller)] satisfies [string, string]] : []),
    ...(type?.isEmulated ? [] : xenbusLines(controller, guest)),
  ];
  return lines.map(([name, value]) => `${name.padEnd(18)}${value}\n`).join('');
}

function xenbusLines(controller: Controller, guest: UntrustedFrontend): [string, string][] {
  return [
    ['backend', `${controller.backend ?? 'none'} (domain ${controller.backendDomid})`],
    ['backend state', `${describeState(controller.backendState)}${controller.online ? '' : ', not online'}`],
    ['frontend', controller.frontend ?? 'none'],
    ['the guest says', `${describeState(guest.state)}`],
    ['  event channel', String(guest.eventChannel ?? '-')],
    ['  URB ring', String(guest.urbRingRef ?? '-')],
    ['  connection ring', String(guest.connRingRef ?? '-')],
  ];
}

function describeQemu({ health, why, devices, controllers }: QemuAnswer, controller: Controller): string {
  if (health === 'dead') return 'has died: see "pvusb doctor"';
  if (health === 'silent') return `cannot be asked: ${why ?? 'the reason is not known'}`;
  const { type, devid } = controller;
  if (traitsOf(controller)?.isEmulated && !controllers.includes(devid))
    return 'does not have it: see "pvusb doctor"';
  const ports = devices
    .filter((device) => device.type === type && device.devid === devid)
    .map(({ port, open }) => `port ${port}${open ? '' : ' (not open)'}`);
  return `is alive, and has ${ports.length === 0 ? 'no device' : `the devices of ${ports.join(', ')}`}`;
}
