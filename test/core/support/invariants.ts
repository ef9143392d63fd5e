/**
 * The invariants of ARCHITECTURE.md, checked on the host's state: the text of the store and the kernel's own table,
 * read without any product code.
 */
import type { SimHost, SimUsb } from '../../../src/sim/index.js';

/** The state of a host. */
interface WorldState {
  /** As `xenstore-ls -fp` prints it. */
  readonly dump: string;
  readonly usb: SimUsb;
  /** The drivers of all interfaces when nothing was lent; with it I2 and I6 are checked exactly. */
  readonly natural?: Drivers;
  /** The QEMUs; with them I3 is checked for what they hold. */
  readonly qemus?: Iterable<QemuState>;
}

/** A QEMU, with what it has open. */
interface QemuState {
  readonly domid: number;
  readonly alive: boolean;
  readonly held: readonly string[];
}

/** The driver of each interface; '' for none. */
export type Drivers = ReadonlyMap<string, string>;

/** A node of a dump. */
export interface DumpedNode {
  readonly value: string;
  readonly permissions: string;
}

/** The nodes of a dump by path. */
export function parseDump(dump: string): Map<string, DumpedNode> {
  const nodes = new Map<string, DumpedNode>();
  for (const line of dump.split('\n')) {
    if (line === '') continue;
    const [, path, value, permissions] = /^(\/\S*) = "(.*)" {3}\(([^()]*)\)$/.exec(line) ?? [];
    if (path === undefined) throw new Error(`not a line of a dump: ${line}`);
    nodes.set(path, { value: value!, permissions: permissions! });
  }
  return nodes;
}

/** The driver of each interface now. */
export function driversOf(usb: SimUsb): Drivers {
  return new Map(
    usb.devices.flatMap(({ interfaces }) =>
      interfaces.map(({ id, driver }): [string, string] => [id, driver ?? '']),
    ),
  );
}

/** A port node that holds something. */
interface Claim {
  readonly path: string;
  /** `vusb`, `qusb`, or `devicemodel` for what has only a record. */
  readonly kind: string;
  readonly domid: number;
  readonly busid: string;
}

/** The sentences of all violations of I1, I2, I3 and I6, and of trees that are incomplete; it should be empty. */
export function checkInvariants({ dump, usb, natural, qemus = [] }: WorldState): string[] {
  const nodes = parseDump(dump);
  const claims = claimsOf(nodes);
  return [
    ...checkSingleClaims(claims),
    ...checkInterfaces(usb, claims, natural),
    ...checkPorts(usb, claims),
    ...[...qemus].flatMap((qemu) => checkQemu(usb, claims, qemu)),
    ...checkSavedDrivers(nodes, usb, claims, natural),
    ...checkTrees(nodes),
  ];
}

const PORT = /^\/local\/domain\/\d+\/backend\/(vusb|qusb)\/(\d+)\/(\d+)\/port\/(\d+)$/;

const RECORDED_PORT = /^(\/libxl\/(\d+)\/device\/vusb\/\d+)\/port\/\d+$/;

function claimsOf(nodes: ReadonlyMap<string, DumpedNode>): Claim[] {
  return [...nodes].flatMap(([path, { value }]): Claim[] => {
    if (value === '') return [];
    const [, kind, owner] = PORT.exec(path) ?? [];
    if (kind !== undefined) return [{ path, kind, domid: Number(owner), busid: value }];
    // An emulated controller has no backend: the ports that count are the record's.
    const [, record, domid] = RECORDED_PORT.exec(path) ?? [];
    if (record === undefined || nodes.get(`${record}/type`)?.value !== 'devicemodel') return [];
    return [{ path, kind: 'devicemodel', domid: Number(domid), busid: value }];
  });
}

/** I1: a busid is in at most one port of all domains. */
function checkSingleClaims(claims: readonly Claim[]): string[] {
  const places = new Map<string, Claim[]>();
  for (const claim of claims) places.set(claim.busid, [...(places.get(claim.busid) ?? []), claim]);
  return [...places]
    .filter(([, held]) => held.length > 1)
    .map(([busid, held]) => `I1: ${busid} is in ${held.map(({ path }) => path).join(' and ')}`);
}

/** I2: the interfaces of a device are all on usbback, or all where they were. */
function checkInterfaces(usb: SimUsb, claims: readonly Claim[], natural: Drivers | undefined): string[] {
  const lentByQemu = busidsByQemu(claims);
  return usb.devices.flatMap(({ busid, interfaces }) => {
    const lent = interfaces.filter(({ driver }) => driver === 'usbback');
    if (lent.length === interfaces.length && lent.length > 0) return [];
    if (lent.length > 0) {
      const table = interfaces.map(({ id, driver }) => `${id} on ${driver ?? 'nothing'}`).join(', ');
      return [`I2: ${busid} is half on usbback: ${table}`];
    }
    if (lentByQemu.has(busid)) {
      return interfaces
        .filter(({ driver }) => driver !== undefined && driver !== 'usbfs')
        .map(({ id, driver }) => `I2: ${id} is on ${driver}, though its device is lent to a QEMU`);
    }
    return interfaces
      .filter(({ id, driver }) => (driver ?? '') !== (natural?.get(id) ?? driver ?? ''))
      .map(({ id, driver }) => `I2: ${id} is on ${driver ?? 'nothing'}, it was on ${natural!.get(id)}`);
  });
}

/** I3: a pv port is non-empty if and only if the interfaces of its device are on usbback. */
function checkPorts(usb: SimUsb, claims: readonly Claim[]): string[] {
  const held = new Set(claims.filter(({ kind }) => kind === 'vusb').map(({ busid }) => busid));
  return usb.devices.flatMap(({ busid, interfaces }) => {
    const lent = interfaces.some(({ driver }) => driver === 'usbback');
    if (lent && !held.has(busid)) return [`I3: ${busid} is on usbback and in no port`];
    if (!lent && held.has(busid)) return [`I3: ${busid} is in a port and not on usbback`];
    return [];
  });
}

function busidsByQemu(claims: readonly Claim[]): Set<string> {
  return new Set(claims.filter(({ kind }) => kind !== 'vusb').map(({ busid }) => busid));
}

/** I3 for what a QEMU serves: a port of its domain names a device if and only if it has that device open. */
function checkQemu(usb: SimUsb, claims: readonly Claim[], { domid, alive, held }: QemuState): string[] {
  const given = claims
    .filter(
      (claim) => claim.kind !== 'vusb' && claim.domid === domid && usb.device(claim.busid) !== undefined,
    )
    .map(({ busid }) => busid);
  const has = alive ? held : [];
  return [
    ...given
      .filter((busid) => !has.includes(busid))
      .map((busid) => `I3: ${busid} is in a port, QEMU ${domid} does not have it`),
    ...has
      .filter((busid) => !given.includes(busid))
      .map((busid) => `I3: QEMU ${domid} has ${busid}, which is in no port`),
  ];
}

const SAVED = /^\/libxl\/usbback\/([^/]+)(?:\/([^/]+)(?:\/(.+))?)?$/;

/** I6: a saved driver exists if and only if its interface is on usbback and had a driver. */
function checkSavedDrivers(
  nodes: ReadonlyMap<string, DumpedNode>,
  usb: SimUsb,
  claims: readonly Claim[],
  natural: Drivers | undefined,
): string[] {
  const violations: string[] = [];
  const saved = new Set<string>();
  const held = new Set(claims.map(({ busid }) => busid));
  const byQemu = busidsByQemu(claims);
  for (const path of nodes.keys()) {
    const [, device, intf, key] = SAVED.exec(path) ?? [];
    if (device === undefined) continue;
    const busid = device.replaceAll('_', '.');
    if (intf === undefined || intf === 'device' || intf === 'port') {
      if (!held.has(busid)) violations.push(`I6: ${path} is kept for ${busid}, which is in no port`);
      continue;
    }
    if (key !== 'driver_path') continue;
    const id = intf.replaceAll('_', '.').replaceAll('@', ':');
    saved.add(id);
    if (usb.device(busid) === undefined && held.has(busid)) continue;
    const isLent = byQemu.has(busid) || usb.driverOf(id) === 'usbback';
    if (!isLent) violations.push(`I6: a driver is saved for ${id}, not on usbback`);
  }
  for (const { interfaces } of natural === undefined ? [] : usb.devices) {
    for (const { id, driver } of interfaces) {
      if (driver !== 'usbback' || !natural!.get(id)) continue;
      // A driver of several interfaces brings all of them back with the recorded one.
      const brought = interfaces.some(
        (other) => saved.has(other.id) && natural!.get(other.id) === natural!.get(id),
      );
      if (!saved.has(id) && !brought)
        violations.push(`I6: ${id} was on ${natural!.get(id)}, and nothing says so`);
    }
  }
  return violations;
}

/** A controller of type pv has a record and a backend, or neither; a record alone says nothing about type and ports. */
function checkTrees(nodes: ReadonlyMap<string, DumpedNode>): string[] {
  const violations: string[] = [];
  for (const [path, { value }] of nodes) {
    const [, domid, devid] = /^\/libxl\/(\d+)\/device\/vusb\/(\d+)$/.exec(path) ?? [];
    if (devid !== undefined) {
      const backend = nodes.get(`${path}/backend`)?.value;
      const type = nodes.get(`${path}/type`)?.value;
      if (type === undefined) violations.push(`trees: ${path} says nothing about itself`);
      if (type === 'pv' && (backend === undefined || !nodes.has(backend)))
        violations.push(`trees: controller ${devid} of domain ${domid} has no backend`);
    }
    const [, owner, number] = /^\/local\/domain\/0\/backend\/[vq]usb\/(\d+)\/(\d+)$/.exec(path) ?? [];
    if (number !== undefined && !nodes.has(`/libxl/${owner}/device/vusb/${number}`))
      violations.push(`trees: the backend ${path} belongs to no controller`);
    if (/^\/libxl\/\d+\/device\/vusb$/.test(path) && value === '' && !hasChildren(nodes, path))
      violations.push(`trees: ${path} is empty`);
  }
  return violations;
}

function hasChildren(nodes: ReadonlyMap<string, unknown>, path: string): boolean {
  for (const other of nodes.keys()) if (other.startsWith(`${path}/`)) return true;
  return false;
}

/** A world to compare with another: nodes and drivers, one line each, sorted. */
export type Snapshot = readonly string[];

/** What adding and removing a controller may leave or remove: empty directories that other devices share. */
const SHARED_PARENTS =
  /^(\/local\/domain\/0\/backend(\/[vq]usb)?|\/libxl\/\d+\/device|\/local\/domain\/\d+\/device\/vusb)$/;

/** The world of a host that runs on its own store. */
export function snapshot(sim: SimHost): Snapshot {
  return snapshotOf({ dump: sim.store.dump(), usb: sim.usb });
}

/** The world of any host. */
export function snapshotOf({ dump, usb }: WorldState): Snapshot {
  const nodes = parseDump(dump);
  const kept = [...nodes].filter(
    ([path, { value }]) => value !== '' || !SHARED_PARENTS.test(path) || hasChildren(nodes, path),
  );
  return [
    ...kept.map(([path, { value, permissions }]) => `${path} = "${value}" (${permissions})`).sort(),
    ...[...driversOf(usb)].map(([id, driver]) => `${id} -> ${driver || 'nothing'}`).sort(),
  ];
}

/** The lines in which two worlds differ: `- gone`, `+ new`. */
export function compareWorlds(before: Snapshot, after: Snapshot): string[] {
  const [had, has] = [new Set(before), new Set(after)];
  return [
    ...before.filter((line) => !has.has(line)).map((line) => `- ${line}`),
    ...after.filter((line) => !had.has(line)).map((line) => `+ ${line}`),
  ];
}
