/** `pvusb list`: domains, their controllers, ports and devices. */
import {
  allPorts,
  type Controller,
  type Domain,
  deviceAt,
  findDomain,
  type Inventory,
  isTaken,
  type LibxlDomain,
  libxlDomains,
  listControllers,
  type Place,
  portState,
  traitsOf,
} from '../../pvusb/index.js';
import { describeDevice, escapeText, printable, type UsbNames } from '../../sysfs/index.js';
import { type CommonOptions, printJson, printJsonText, usbNames, withHost } from '../context.js';
import { fit } from '../table.js';
import type { Terminal } from '../terminal.js';
import { describeState } from '../wording.js';

/** Runs the command, for one domain or all. */
export async function runList(
  terminal: Terminal,
  domain: string | undefined,
  options: CommonOptions,
): Promise<void> {
  await withHost(terminal, options, async (host, { signal }) => {
    if (options.jsonLibxl) {
      const domains = await libxlDomains(host, { domain }, { signal });
      printJsonText(terminal, formatLibxl(domains));
      for (const { problem } of domains) if (problem) terminal.err(`pvusb: ${printable(problem)}\n`);
      return;
    }
    const inventory = await listControllers(host, { domain }, { signal });
    if (options.json) printJson(terminal, listJson(inventory, domain));
    else terminal.out(formatList(inventory, await usbNames(terminal, inventory.devices), domain));
  });
}

/** The listing as text. */
export function formatList(inventory: Inventory, names: UsbNames, domain?: string): string {
  const blocks = listed(inventory, domain).map((entry) => formatDomain(inventory, names, entry));
  return blocks.length > 0 ? blocks.join('\n') : 'There is no guest.\n';
}

/** Guests, and whatever else has controllers. */
function listed(inventory: Inventory, domain: string | undefined): Domain[] {
  if (domain !== undefined) return [findDomain(inventory, domain)];
  const having = new Set(inventory.controllers.map(({ domid }) => domid));
  return inventory.domains.filter(({ domid, alive }) => having.has(domid) || (alive && domid !== 0));
}

function formatDomain(inventory: Inventory, names: UsbNames, domain: Domain): string {
  const { domid, name, type, alive } = domain;
  const facts = [name === undefined ? undefined : `"${escapeText(name)}"`, type, alive ? undefined : 'GONE'];
  const title = [`Domain ${domid}`, ...facts.filter((fact) => fact !== undefined)].join(', ');
  const controllers = inventory.controllers.filter((controller) => controller.domid === domid);
  if (controllers.length === 0) return `${title}: no USB controller\n`;
  return `${title}\n${controllers.map((controller) => formatController(inventory, names, controller)).join('')}`;
}

function formatController(inventory: Inventory, names: UsbNames, controller: Controller): string {
  const { devid, type, version, portCount } = controller;
  const title = `  Controller ${devid}: ${type}, USB ${version}, ${portCount} ports, ${controllerState(controller)}\n`;
  const taken = allPorts(controller).filter(isTaken);
  const free = controller.ports.filter((port) => !isTaken(port)).map(({ port }) => port);
  const rest =
    free.length === 0 ? '' : `    free: ${taken.length === 0 ? 'all ports' : `port ${formatRanges(free)}`}\n`;
  return title + taken.map((port) => formatPort(inventory, names, { controller, port })).join('') + rest;
}

function controllerState(controller: Controller): string {
  const { online, backendState, backendDomid } = controller;
  const type = traitsOf(controller);
  if (!type) return 'left alone: not of a kind that pvusb knows';
  if (type.isEmulated) return `emulated by ${type.server}`;
  const by = backendDomid === 0 ? '' : ` (served by domain ${backendDomid})`;
  return `${online ? describeState(backendState) : 'being removed'}${by}`;
}

function formatPort(inventory: Inventory, names: UsbNames, place: Place): string {
  const { port, busid, untrustedJunk } = place.port;
  const what =
    busid === undefined
      ? `"${escapeText(untrustedJunk ?? '')}", which is no device`
      : `${busid.padEnd(8)}  ${formatLent(inventory, names, place)}`;
  return `${fit(`    port ${String(port).padEnd(2)}  ${what}`, 80)}\n`;
}

function formatLent(inventory: Inventory, names: UsbNames, place: Place): string {
  const device = deviceAt(inventory, place.port.busid!);
  const name = device && `${device.vendorId}:${device.productId}  ${describeDevice(device, names)}`;
  switch (portState(inventory, place)) {
    case 'waiting':
      return `WAITING for the guest: ${name}`;
    case 'not-opened':
      return `NOT TAKEN by ${traitsOf(place.controller)?.server ?? 'the host'} (see "pvusb doctor"): ${name}`;
    case 'other-device':
      return `ANOTHER DEVICE is in that socket now: ${name}`;
    case 'missing':
      return 'MISSING: pulled out (mend it with "pvusb doctor")';
    default:
      return name ?? '';
  }
}

/** `1, 3-5, 8`. */
export function formatRanges(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
}

/** As `xl list -l` prints it. */
function formatLibxl(domains: readonly LibxlDomain[]): string {
  const entries = domains.map(({ domid, config }) => {
    const lines = `"domid": ${domid},\n"config": ${config}`.replaceAll('\n', '\n        ');
    return `    {\n        ${lines}\n    }`;
  });
  return `[\n${entries.join(',\n')}\n]`;
}

function listJson(inventory: Inventory, domain: string | undefined) {
  return listed(inventory, domain).map((entry) => ({
    ...entry,
    controllers: inventory.controllers
      .filter(({ domid }) => domid === entry.domid)
      .map((controller) => ({
        ...controller,
        ports: controller.ports.map((port) => portJson(inventory, { controller, port })),
      })),
  }));
}

function portJson(inventory: Inventory, place: Place) {
  const { port } = place;
  if (port.busid === undefined) return port;
  const state = portState(inventory, place);
  const device = deviceAt(inventory, port.busid);
  return device ? { ...port, state, device } : { ...port, state, missing: true };
}
