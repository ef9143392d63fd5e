/** `pvusb list`: domains, their controllers, ports and devices. */
import { listedDomains, shownDomains } from '../../commands/index.js';
import {
  allPorts,
  type Controller,
  countPorts,
  type Domain,
  deviceAt,
  type Inventory,
  isTaken,
  type LibxlDomain,
  libxlDomains,
  listInventory,
  type Place,
  type PortState,
  portState,
  savedFor,
  traitsOf,
  traitsOn,
} from '../../pvusb/index.js';
import { type Busid, describeDevice, escapeText, printable, type UsbNames } from '../../sysfs/index.js';
import { type CommonOptions, printJson, printJsonText, usbNames, withHost } from '../context.js';
import { requireHere } from '../report.js';
import { CONTROLLER_STATES, PORT_STATES } from '../states.js';
import { fitEnd } from '../table.js';
import type { Terminal } from '../terminal.js';
import { describeState, tellingSerials } from '../wording.js';

/** Runs the command, for one domain or all. */
export async function runList(
  terminal: Terminal,
  domain: string | undefined,
  options: CommonOptions,
): Promise<void> {
  await withHost(terminal, options, async (host, { signal }) => {
    if (options.jsonLibxl) {
      requireHere(terminal, 'list --json=libxl');
      const domains = await libxlDomains(host, { domain }, { signal });
      printJsonText(terminal, formatLibxl(domains));
      for (const { problem } of domains) if (problem) terminal.err(`pvusb: ${printable(problem)}\n`);
      return;
    }
    const inventory = await listInventory(host, { domain }, { signal });
    if (options.json) printJson(terminal, listedDomains(inventory, domain));
    else {
      const names = await usbNames(terminal, inventory.devices);
      terminal.out(formatList(inventory, names, { domain, columns: terminal.columns }));
    }
  });
}

/** What the lines of a listing are made from. */
interface View {
  readonly inventory: Inventory;
  readonly names: UsbNames;
  /** By busid, where they distinguish devices. */
  readonly serials: ReadonlyMap<Busid, string>;
  /** Width of the terminal; undefined if there is none. */
  readonly columns: number | undefined;
}

/** The listing as text. Only names of devices are cut, and only where a terminal is too narrow. */
export function formatList(
  inventory: Inventory,
  names: UsbNames,
  options: { readonly domain?: string | undefined; readonly columns?: number | undefined } = {},
): string {
  const serials = tellingSerials(inventory.devices);
  const view = { inventory, names, serials, columns: options.columns };
  const blocks = shownDomains(inventory, options.domain).map((entry) => formatDomain(view, entry));
  return blocks.length > 0 ? blocks.join('\n') : 'There are no guests.\n';
}

function formatDomain(view: View, domain: Domain): string {
  const { domid, name, type, alive } = domain;
  const facts = [name === undefined ? undefined : `"${printable(name)}"`, type, alive ? undefined : 'GONE'];
  const title = [`Domain ${domid}`, ...facts.filter((fact) => fact !== undefined)].join(', ');
  const controllers = view.inventory.controllers.filter((controller) => controller.domid === domid);
  if (controllers.length === 0) return `${title}: no USB controller\n`;
  return `${title}\n${controllers.map((controller) => formatController(view, controller)).join('')}`;
}

function formatController(view: View, controller: Controller): string {
  const { devid, type, version, portCount } = controller;
  const title = `  Controller ${devid}: ${type}, USB ${version}, ${countPorts(portCount)}, ${controllerState(controller)}\n`;
  const taken = allPorts(controller).filter(isTaken);
  const free = controller.ports.filter((port) => !isTaken(port)).map(({ port }) => port);
  const rest =
    free.length === 0 ? '' : `    free: ${taken.length === 0 ? 'all ports' : `port ${formatRanges(free)}`}\n`;
  const widest = Math.max(BUSID_WIDTH, ...taken.map(({ busid }) => busid?.length ?? 0));
  return title + taken.map((port) => formatPort(view, { controller, port }, widest)).join('') + rest;
}

function controllerState(controller: Controller): string {
  const { online, backendState, backendDomid } = controller;
  const type = traitsOf(controller);
  if (!type) return 'left alone: of a type that pvusb does not know';
  if (type.isEmulated) return CONTROLLER_STATES.emulated.word;
  const by = backendDomid === 0 ? '' : ` (served by domain ${backendDomid})`;
  return `${online ? describeState(backendState) : CONTROLLER_STATES.removed.word}${by}`;
}

/** Narrowest column of busids. */
const BUSID_WIDTH = 8;

function formatPort(view: View, place: Place, widest: number): string {
  const { port, busid, virtual, untrustedJunk } = place.port;
  const title = `    port ${String(port).padEnd(2)}  `;
  if (virtual !== undefined) return `${title}${formatVirtual(view, place)}${printable(virtual)}\n`;
  if (busid === undefined) return `${title}"${escapeText(untrustedJunk ?? '')}", which is not a device\n`;
  return `${formatLent(view, place, `${title}${busid.padEnd(widest)}  `)}\n`;
}

/** What has become of a virtual device; nothing to say where the guest uses it. */
function formatVirtual({ inventory }: View, place: Place): string {
  const state = portState(inventory, place) ?? 'in-use';
  const backend = inventory.backend ? ' (see its log):' : ': is it running?';
  const by = state === 'not-opened' ? ` by the pvusb backend${backend}` : ':';
  return state === 'in-use' ? '' : `${PORT_STATES[state].word}${by} `;
}

function formatLent(view: View, place: Place, title: string): string {
  const { inventory, names, serials, columns } = view;
  const busid = place.port.busid!;
  const device = deviceAt(inventory, busid);
  if (!device) return `${title}${PORT_STATES.missing.word}: pulled out (see "pvusb doctor")`;
  const serial = serials.has(busid) ? `:${serials.get(busid)}` : '';
  const ids = `${device.vendorId}:${device.productId}${serial}`;
  const server = traitsOn(inventory, place.controller)?.server;
  const state = describePortState(portState(inventory, place), server);
  const forced = savedFor(inventory, busid)?.forced;
  const why = forced === undefined ? '' : `, forced: ${printable(forced)}`;
  return fitEnd(`${title}${state}${ids}  `, `${describeDevice(device, names)}${why}`, columns);
}

function describePortState(state: PortState | undefined, server = 'the host'): string {
  const { word } = PORT_STATES[state ?? 'in-use'];
  switch (state) {
    case 'waiting':
      return `${word}: `;
    case 'not-opened':
      return `${word} by ${server} (see "pvusb doctor"): `;
    case 'other-device':
      return `${word} is in that socket now: `;
    default:
      return '';
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
