/**
 * Reads the host into one Inventory: xenstore in four waves of requests whatever its size (five where another
 * toolstack has written ports that do not exist), sysfs beside them.
 */
import { type Busid, parseDriverName } from '../../sysfs/index.js';
import { USBBACK } from '../model/drivers.js';
import { toPvusbError } from '../model/failure.js';
import type {
  DeviceModel,
  Domain,
  DomainType,
  Inventory,
  OrphanBackend,
  SavedDriver,
  SavedDrivers,
} from '../model/inventory.js';
import {
  BACKEND_KINDS,
  backendPath,
  backendsPath,
  type ControllerId,
  controllersPath,
  DEVICE_MODELS,
  DOMAINS,
  decodeBusid,
  decodeInterface,
  deviceModelPath,
  driverFolder,
  IDENTITY_KEY,
  LIBXL,
  ORIGIN_KEY,
  parseNumbers,
  parseVmPath,
  qusbOfferPath,
  SAVED_DRIVERS,
  savedDevicePath,
} from '../model/layout.js';
import { observeControllers } from './controllers.js';
import type { CallOptions, Host, XenstoreNodes } from './host.js';
import { askQemu } from './qemu.js';
import { readSaved } from './saved-config.js';

/** How much of the host is read. */
export interface ObserveOptions extends CallOptions {
  /**
   * `all` (unless given): everything. `controllers`: domains, controllers, the devices in their ports and what is
   * saved for these; neither orphans nor the host's other devices. Cheaper, enough to list.
   */
  readonly scope?: 'all' | 'controllers';
  /** Only this domain's controllers; with scope `controllers`. */
  readonly only?: number | undefined;
  /** Which domains' QEMUs are asked; none unless given. */
  readonly asks?: ((seen: Inventory) => readonly number[]) | undefined;
  /** What libxl keeps of the living domains is read too. */
  readonly saved?: boolean | undefined;
}

/**
 * Observes the host.
 *
 * @throws {PvusbError} of the host's group, `connection-lost` or `aborted`
 */
export async function observe(host: Host, options: ObserveOptions = {}): Promise<Inventory> {
  try {
    const seen =
      options.scope === 'controllers' ? await observeSome(host, options) : await observeAll(host, options);
    const call = { signal: options.signal };
    const domids = options.asks?.(seen) ?? [];
    const [qemus, saved] = await Promise.all([
      Promise.all(domids.map((domid) => askQemu(host, domid, call))),
      options.saved ? readSaved(host, seen.domains, call) : [],
    ]);
    return { ...seen, qemus, saved };
  } catch (error) {
    throw toPvusbError(error, { doing: 'observing the host', signal: options.signal });
  }
}

async function observeAll(host: Host, options: ObserveOptions): Promise<Inventory> {
  const call = { signal: options.signal };
  const [xenstore, devices, usbback] = await Promise.all([
    observeXenstore(host.xenstore, call),
    host.sysfs.devices(call),
    host.sysfs.hasDriver(USBBACK, call),
  ]);
  return { format: 'pvusb-inventory-1', usbback, devices, ...xenstore, qemus: [], saved: [] };
}

/** Controllers first, then only the devices that are in their ports. */
async function observeSome(host: Host, options: ObserveOptions): Promise<Inventory> {
  const call = { signal: options.signal };
  const { domains, devids } = await observeDomains(host.xenstore, call, options.only);
  const controllers = await observeControllers(host.xenstore, devids, call);
  const wanted = controllers.flatMap(({ ports }) => ports.flatMap(({ busid }) => busid ?? []));
  const [devices, usbback, savedDrivers] = await Promise.all([
    wanted.length === 0 ? [] : host.sysfs.devices({ ...call, wanted }),
    host.sysfs.hasDriver(USBBACK, call),
    observeSaved(host.xenstore, [...new Set(wanted)], call),
  ]);
  return {
    format: 'pvusb-inventory-1',
    usbback,
    devices,
    domains,
    controllers,
    qemus: [],
    saved: [],
    savedDrivers,
    orphanBackends: [],
  };
}

async function observeXenstore(xenstore: XenstoreNodes, call: CallOptions) {
  const [{ domains, devids, controllers }, savedDrivers, backends] = await Promise.all([
    observeDomains(xenstore, call).then(async (found) => {
      return { ...found, controllers: await observeControllers(xenstore, found.devids, call) };
    }),
    observeSavedDrivers(xenstore, call),
    observeBackends(xenstore, call),
  ]);
  const known = new Set(devids.map(({ domid, devid }) => `${domid}/${devid}`));
  const orphanBackends = backends.filter(({ domid, devid }) => !known.has(`${domid}/${devid}`));
  return { domains, controllers, savedDrivers, orphanBackends };
}

/** Two waves: which domains there are and what they are called; which controllers they have. */
export async function observeDomains(
  xenstore: XenstoreNodes,
  call: CallOptions,
  only?: number,
): Promise<{ domains: Domain[]; devids: ControllerId[] }> {
  const [recorded, living, served] = await xenstore.directoryMany([LIBXL, DOMAINS, DEVICE_MODELS], call);
  const alive = new Set(sortedNumbers(living));
  const domids = [...new Set([...alive, ...sortedNumbers(recorded)])].sort((a, b) => a - b);
  const wanted = only === undefined ? domids : domids.filter((domid) => domid === only);
  const [names, types, vms, listings, models] = await Promise.all([
    xenstore.readMany(
      domids.map((domid) => `${DOMAINS}/${domid}/name`),
      call,
    ),
    xenstore.readMany(
      domids.map((domid) => `${LIBXL}/${domid}/type`),
      call,
    ),
    xenstore.readMany(
      domids.map((domid) => `${DOMAINS}/${domid}/vm`),
      call,
    ),
    xenstore.directoryMany(wanted.map(controllersPath), call),
    observeDeviceModels(xenstore, sortedNumbers(served), call),
  ]);
  const domains = domids.map((domid, i) => ({
    domid,
    ...(names[i] === undefined ? {} : { name: names[i] }),
    ...(isDomainType(types[i]) ? { type: types[i] } : {}),
    ...(parseVmPath(vms[i]) === undefined ? {} : { uuid: parseVmPath(vms[i])! }),
    alive: alive.has(domid),
    ...(models.has(domid) ? { deviceModel: models.get(domid)! } : {}),
  }));
  const devids = wanted.flatMap((domid, i) => sortedNumbers(listings[i]).map((devid) => ({ domid, devid })));
  return { domains, devids };
}

/** One wave. */
async function observeDeviceModels(
  xenstore: XenstoreNodes,
  domids: readonly number[],
  call: CallOptions,
): Promise<Map<number, DeviceModel>> {
  const [states, offers] = await Promise.all([
    xenstore.readMany(
      domids.map((domid) => `${deviceModelPath(domid)}/state`),
      call,
    ),
    xenstore.readMany(domids.map(qusbOfferPath), call),
  ]);
  return new Map(
    domids.map((domid, i) => [domid, { running: states[i] === 'running', qusb: offers[i] !== undefined }]),
  );
}

/** Three waves: which devices, which of their interfaces, which drivers. */
async function observeSavedDrivers(xenstore: XenstoreNodes, call: CallOptions): Promise<SavedDrivers[]> {
  const [names] = await xenstore.directoryMany([SAVED_DRIVERS], call);
  return observeSaved(
    xenstore,
    (names ?? []).flatMap((name) => decodeBusid(name) ?? []),
    call,
  );
}

/** Two waves: what is saved for these devices; nothing for one that nothing is saved for. */
async function observeSaved(
  xenstore: XenstoreNodes,
  busids: readonly Busid[],
  call: CallOptions,
): Promise<SavedDrivers[]> {
  const devices = busids.map((busid) => ({ busid, path: savedDevicePath(busid) }));
  const [children, identities, origins] = await Promise.all([
    xenstore.directoryMany(
      devices.map(({ path }) => path),
      call,
    ),
    xenstore.readMany(
      devices.map(({ path }) => `${path}/${IDENTITY_KEY}`),
      call,
    ),
    xenstore.readMany(
      devices.map(({ path }) => `${path}/${ORIGIN_KEY}`),
      call,
    ),
  ]);
  const interfaces = devices.flatMap(({ busid, path }, i) =>
    (children[i] ?? []).flatMap((name) => {
      const intf = decodeInterface(name);
      return intf === undefined ? [] : { busid, intf, path: `${path}/${name}/driver_path` };
    }),
  );
  const paths = await xenstore.readMany(
    interfaces.map(({ path }) => path),
    call,
  );
  return devices.flatMap(({ busid }, i) => {
    if (children[i] === undefined) return [];
    return {
      busid,
      ...(identities[i] === undefined ? {} : { identity: identities[i] }),
      ...(origins[i] === undefined ? {} : { origin: origins[i] }),
      drivers: interfaces.flatMap((entry, k) =>
        entry.busid === busid ? savedDriver(entry.intf, paths[k]) : [],
      ),
    };
  });
}

function savedDriver(intf: SavedDriver['interface'], untrustedDriverPath: string | undefined): SavedDriver {
  const folder = driverFolder(untrustedDriverPath ?? '');
  const driver = folder === undefined ? undefined : parseDriverName(folder);
  return driver === undefined ? { interface: intf } : { interface: intf, driver };
}

/** Three waves: every backend directory of domain 0, recorded or not. */
async function observeBackends(xenstore: XenstoreNodes, call: CallOptions): Promise<OrphanBackend[]> {
  const domains = await xenstore.directoryMany(
    BACKEND_KINDS.map((kind) => backendsPath(kind)),
    call,
  );
  const found = BACKEND_KINDS.flatMap((kind, i) =>
    sortedNumbers(domains[i]).map((domid) => ({ kind, domid })),
  );
  const devids = await xenstore.directoryMany(
    found.map(({ kind, domid }) => `${backendsPath(kind)}/${domid}`),
    call,
  );
  return found.flatMap(({ kind, domid }, i) =>
    sortedNumbers(devids[i]).map((devid) => ({ domid, devid, backend: backendPath({ domid, devid }, kind) })),
  );
}

function sortedNumbers(names: readonly string[] | undefined): number[] {
  return parseNumbers(names).sort((a, b) => a - b);
}

function isDomainType(text: string | undefined): text is DomainType {
  return text === 'pv' || text === 'pvh' || text === 'hvm';
}
