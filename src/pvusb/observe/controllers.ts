/** Reads controllers and their ports. What the guest can write is read last and trusted least. */

import { isControllerType, PORTS_MAX } from '../../libxl/controller-type.js';
import { parseBusid } from '../../sysfs/index.js';
import type { Controller, ControllerType, Port, UntrustedFrontend } from '../model/inventory.js';
import {
  type BackendKind,
  type ControllerId,
  frontendPath,
  parseBackend,
  parseNumber,
  parseNumbers,
  portPath,
  recordPath,
  virtualPath,
  virtualsPath,
} from '../model/layout.js';
import { recordedVirtualName, type VirtualName } from '../model/virtual.js';
import { servedType } from '../types/types.js';
import { observeDomains } from './domains.js';
import type { CallOptions, XenstoreNodes } from './host.js';

const RECORD_KEYS = ['backend', 'type', 'usb-ver', 'num-ports'] as const;
const BACKEND_KEYS = ['state', 'online'] as const;
const FRONTEND_KEYS = ['state'] as const;
const RING_KEYS = ['state', 'event-channel', 'urb-ring-ref', 'conn-ring-ref'] as const;

/** How controllers are read. */
export interface ControllersCall extends CallOptions {
  /** Also what guests say of their rings, which only data for other tools has. */
  readonly rings?: boolean | undefined;
}

/** A controller as far as the toolstack's record describes it. */
interface Recorded {
  readonly id: ControllerId;
  readonly type: Controller['type'];
  readonly version: number;
  readonly portCount: number;
  readonly backend: string | undefined;
  readonly portsAt: string | undefined;
  readonly backendDomid: number;
}

/** All domains, and the controllers that they, or `only` that one, have. */
export async function observeWithControllers(
  xenstore: XenstoreNodes,
  { only, ...call }: ControllersCall & { readonly only?: number | undefined },
) {
  const found = await observeDomains(xenstore, { signal: call.signal }, only);
  return { ...found, controllers: await observeControllers(xenstore, found.devids, call) };
}

/** The controllers `ids`: two waves, three if there is a port node that should not exist, or a virtual device. */
export async function observeControllers(
  xenstore: XenstoreNodes,
  ids: readonly ControllerId[],
  { rings, signal }: ControllersCall,
): Promise<Controller[]> {
  const call = { signal };
  const frontendKeys = rings ? RING_KEYS : FRONTEND_KEYS;
  const records = await xenstore.readMany(
    ids.flatMap((id) => RECORD_KEYS.map((key) => `${recordPath(id)}/${key}`)),
    call,
  );
  const recorded = ids.map((id, i) => parseRecord(id, records.slice(i * 4, i * 4 + 4)));
  const served = recorded.filter((entry) => entry.portsAt !== undefined);
  const [backends, ports, frontends, portNames, virtualNames] = await Promise.all([
    xenstore.readMany(
      served.flatMap(({ portsAt }) => BACKEND_KEYS.map((key) => `${portsAt}/${key}`)),
      call,
    ),
    xenstore.readMany(served.flatMap(portPaths), call),
    xenstore.readMany(
      served.flatMap(({ id }) => frontendKeys.map((key) => `${frontendPath(id)}/${key}`)),
      call,
    ),
    xenstore.directoryMany(
      served.map(({ portsAt }) => `${portsAt}/port`),
      call,
    ),
    xenstore.directoryMany(
      served.map(({ id }) => virtualsPath(id)),
      call,
    ),
  ]);
  const [strays, virtuals] = await Promise.all([
    observeStrayPorts(xenstore, served, portNames, call),
    observeVirtuals(xenstore, served, virtualNames, call),
  ]);
  let at = 0;
  const seen = new Map<Recorded, Controller>();
  for (const [i, entry] of served.entries()) {
    const values = ports.slice(at, at + entry.portCount);
    at += entry.portCount;
    const [state, online] = backends.slice(i * 2, i * 2 + 2);
    seen.set(entry, {
      ...describeRecord(entry),
      ...(entry.backend === undefined ? {} : { frontend: frontendPath(entry.id) }),
      ...definite('backendState', parseNumber(state)),
      // An emulated controller has no backend that could go offline.
      online: entry.backend === undefined || online === '1',
      untrustedFrontend: parseFrontend(
        frontends.slice(i * frontendKeys.length, (i + 1) * frontendKeys.length),
      ),
      ports: values.map((value, k) => ({
        ...parsePort(k + 1, value),
        ...definite('virtual', virtuals.get(virtualPath(entry.id, k + 1))),
      })),
      strayPorts: strays[i] ?? [],
    });
  }
  return recorded.map((entry) => seen.get(entry) ?? describeRecord(entry));
}

function portPaths({ portsAt, portCount }: Recorded): string[] {
  return Array.from({ length: portCount }, (_, k) => portPath(portsAt!, k + 1));
}

function parseRecord(id: ControllerId, values: readonly (string | undefined)[]): Recorded {
  const [path, type, version, count] = values;
  const backend = path === undefined ? undefined : parseBackend(path, id);
  const portCount = parseNumber(count) ?? 0;
  const isPossible = portCount >= 1 && portCount <= PORTS_MAX;
  const known = isControllerType(type) && agrees(type, backend?.kind) && isPossible ? type : undefined;
  return {
    id,
    type: known ?? 'unknown',
    version: parseNumber(version) ?? 0,
    portCount: Math.min(portCount, PORTS_MAX),
    backend: backend === undefined ? undefined : path,
    portsAt: known !== undefined && backend === undefined ? recordPath(id) : backend && path,
    backendDomid: backend?.backendDomid ?? 0,
  };
}

/** A controller has a backend of its type's kind, or none where its type has none. */
function agrees(type: ControllerType, kind: BackendKind | undefined): boolean {
  return kind === servedType(type).backend;
}

function describeRecord(entry: Recorded): Controller {
  return {
    ...entry.id,
    type: entry.type,
    version: entry.version,
    portCount: entry.portCount,
    backendDomid: entry.backendDomid,
    ...definite('backend', entry.backend),
    ...definite('portsAt', entry.portsAt),
    online: false,
    untrustedFrontend: {},
    ports: [],
    strayPorts: [],
  };
}

/** Port nodes beyond the count, as other toolstacks write them; empty ones do no harm. */
async function observeStrayPorts(
  xenstore: XenstoreNodes,
  served: readonly Recorded[],
  names: readonly (readonly string[] | undefined)[],
  call: CallOptions,
): Promise<Port[][]> {
  const strays = served.map(({ portCount }, i) =>
    (names[i] ?? [])
      .map(parsePortName)
      .filter((port): port is number => port !== undefined && (port < 1 || port > portCount)),
  );
  const paths = served.flatMap(({ portsAt }, i) => strays[i]!.map((port) => portPath(portsAt!, port)));
  if (paths.length === 0) return [];
  const values = await xenstore.readMany(paths, call);
  let at = 0;
  return strays.map((ports) =>
    ports
      .map((port) => parsePort(port, values[at++]))
      .filter(({ busid, untrustedJunk }) => busid ?? untrustedJunk),
  );
}

/** The virtual devices of all controllers, by the path of their nodes. */
async function observeVirtuals(
  xenstore: XenstoreNodes,
  served: readonly Recorded[],
  names: readonly (readonly string[] | undefined)[],
  call: CallOptions,
): Promise<ReadonlyMap<string, VirtualName>> {
  const paths = served.flatMap(({ id }, i) => parseNumbers(names[i]).map((port) => virtualPath(id, port)));
  const values = paths.length === 0 ? [] : await xenstore.readMany(paths, call);
  return new Map(
    paths.flatMap((path, at) => {
      const name = recordedVirtualName(values[at]);
      return name === undefined ? [] : [[path, name] as const];
    }),
  );
}

/** xl writes what it is told: `port/99`, `port/-1`. */
function parsePortName(name: string): number | undefined {
  return name.startsWith('-') ? negative(parseNumber(name.slice(1))) : parseNumber(name);
}

function negative(number: number | undefined): number | undefined {
  return number === undefined ? undefined : -number;
}

function parsePort(port: number, value: string | undefined): Port {
  if (value === undefined || value === '') return { port };
  const busid = parseBusid(value);
  return busid === undefined ? { port, untrustedJunk: value } : { port, busid };
}

function parseFrontend(values: readonly (string | undefined)[]): UntrustedFrontend {
  const [state, eventChannel, urbRingRef, connRingRef] = values.map(parseNumber);
  return {
    ...definite('state', state),
    ...definite('eventChannel', eventChannel),
    ...definite('urbRingRef', urbRingRef),
    ...definite('connRingRef', connRingRef),
  };
}

function definite<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: V });
}
