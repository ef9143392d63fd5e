/**
 * I8: the saved configuration of a domain says what the domain has. Checked on the text of the file, the text of the
 * store and the kernel's own table, read without any product code.
 */
import type { SimUsb } from '../../../src/sim/index.js';
import { type DumpedNode, parseDump } from './invariants.js';

/** What I8 is checked on. */
interface SavedState {
  /** As `xenstore-ls -fp` prints it. */
  readonly dump: string;
  readonly usb: SimUsb;
  /** The texts of libxl's files by domain; a domain that libxl did not build has none. */
  readonly saved: ReadonlyMap<number, string>;
  /** Replugged devices: what a file says about their address is out of date until the doctor corrects it. */
  readonly replugged?: ReadonlySet<string>;
}

/** What libxl writes about a controller; what it leaves out has its default value. */
interface ControllerEntry {
  readonly devid?: number;
  readonly type?: string;
  readonly version?: number;
  readonly ports?: number;
}

interface DeviceEntry {
  readonly ctrl?: number;
  readonly port?: number;
  readonly 'type.hostdev'?: { readonly hostbus?: number; readonly hostaddr?: number };
}

interface Settings {
  readonly usbctrls?: readonly ControllerEntry[];
  readonly usbdevs?: readonly DeviceEntry[];
}

/** The living domains, the records of controllers, and ports. */
const ABOUT = /^\/local\/domain\/\d+ |^\/libxl\/\d+\/device\/vusb\/|\/port\//;

/** The sentences of all violations of I8; a domain that is gone has no configuration to be right. */
export function checkSaved(state: SavedState): string[] {
  // A sweep asks this thousands of times: only the few lines that it is about are parsed.
  const lines = state.dump.split('\n').filter((line) => ABOUT.test(line));
  const nodes = parseDump(lines.join('\n'));
  return [...state.saved].flatMap(([domid, text]) =>
    nodes.has(`/local/domain/${domid}`) ? checkDomain(state, nodes, domid, text) : [],
  );
}

function checkDomain(state: SavedState, nodes: Nodes, domid: number, text: string): string[] {
  const settings = parse(text);
  if (settings === undefined) return [`I8: the file of domain ${domid} is not a configuration`];
  const { usbctrls = [], usbdevs = [] } = settings;
  const has = controllersOf(nodes, domid);
  const ports = has.flatMap(({ path, devid }) => portsOf(nodes, path, devid));
  // Whatever is said about a device that was pulled out may stay until someone decides what becomes of its port.
  const isOpen = (place: string): boolean =>
    ports.some((port) => port.place === place && state.usb.device(port.busid) === undefined);
  const isVague = (place: string): boolean =>
    ports.some((port) => port.place === place && state.replugged?.has(port.busid) === true);
  const wanted = [
    ...has.map(({ line }) => line),
    ...ports.flatMap(({ place, busid }) => {
      const device = state.usb.device(busid);
      if (device === undefined) return [];
      return `${place}: ${isVague(place) ? busid : `${Number.parseInt(busid, 10)}.${device.address}`}`;
    }),
  ];
  const busidAt = new Map(ports.map(({ place, busid }) => [place, busid]));
  const said = [
    ...usbctrls.map(({ devid = -1, type = 'auto', version = 0, ports: count = 0 }) =>
      lineOf(devid, type, String(version), String(count)),
    ),
    ...usbdevs.flatMap(({ ctrl = -1, port = 0, 'type.hostdev': host = {} }) => {
      const place = placeOf(ctrl, String(port));
      if (isOpen(place)) return [];
      const { hostbus = 0, hostaddr = 0 } = host;
      return `${place}: ${isVague(place) ? busidAt.get(place) : `${hostbus}.${hostaddr}`}`;
    }),
  ];
  return [
    ...without(wanted, said).map((line) => `I8: domain ${domid} has ${line}; its file does not say so`),
    ...without(said, wanted).map(
      (line) => `I8: the file of domain ${domid} says ${line}, which it does not have`,
    ),
  ];
}

function parse(text: string): Settings | undefined {
  try {
    return JSON.parse(text.replace(/\0$/, ''));
  } catch {
    return undefined;
  }
}

type Nodes = ReadonlyMap<string, DumpedNode>;

function controllersOf(nodes: Nodes, domid: number) {
  return [...nodes.keys()].flatMap((path) => {
    const [, owner, devid] = /^\/libxl\/(\d+)\/device\/vusb\/(\d+)$/.exec(path) ?? [];
    if (Number(owner) !== domid) return [];
    const [type, version, ports] = ['type', 'usb-ver', 'num-ports'].map(
      (key) => nodes.get(`${path}/${key}`)?.value ?? 'none',
    );
    return { path, devid: Number(devid), line: lineOf(Number(devid), type!, version!, ports!) };
  });
}

/** The ports that hold something: the backend's, and for type devicemodel the record's own. */
function portsOf(nodes: Nodes, record: string, devid: number) {
  const at = nodes.get(`${record}/backend`)?.value ?? record;
  const prefix = `${at}/port/`;
  return [...nodes].flatMap(([path, { value }]) =>
    path.startsWith(prefix) && value !== ''
      ? { place: placeOf(devid, path.slice(prefix.length)), busid: value }
      : [],
  );
}

function lineOf(devid: number, type: string, version: string, ports: string): string {
  return `controller ${devid} (${type}, USB ${version}, ${ports} ports)`;
}

function placeOf(ctrl: number, port: string): string {
  return `port ${port} of controller ${ctrl}`;
}

/** The lines of one list that the other lacks; duplicates count twice. */
function without(lines: readonly string[], others: readonly string[]): string[] {
  const left = [...others];
  return lines.filter((line) => {
    const at = left.indexOf(line);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}
