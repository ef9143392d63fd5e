/** Reads which domains there are, and which controllers they have. */
import type { DeviceModel, Domain, DomainType } from '../model/inventory.js';
import {
  type ControllerId,
  controllersPath,
  DEVICE_MODELS,
  DOMAINS,
  deviceModelPath,
  LIBXL,
  parseNumbers,
  parseVmPath,
  qusbOfferPath,
  sortedNumbers,
} from '../model/layout.js';
import type { CallOptions, XenstoreNodes } from './host.js';

/** Domains, and the numbers of their controllers. */
interface ObservedDomains {
  readonly domains: Domain[];
  readonly devids: ControllerId[];
}

/** The numbers of domains: those that are alive, those with a toolstack record, those with a QEMU. */
export interface DomainNumbers {
  readonly alive: ReadonlySet<number>;
  readonly recorded: ReadonlySet<number>;
  readonly served: ReadonlySet<number>;
}

/** One wave: which domains there are. */
export async function observeNumbers(xenstore: XenstoreNodes, call: CallOptions): Promise<DomainNumbers> {
  const lists = await xenstore.directoryMany([DOMAINS, LIBXL, DEVICE_MODELS], call);
  const [alive, recorded, served] = lists.map((names) => new Set(parseNumbers(names)));
  return { alive: alive!, recorded: recorded!, served: served! };
}

/** One wave: the same for these domains only. */
export async function observeNumbersOf(
  xenstore: XenstoreNodes,
  domids: readonly number[],
  call: CallOptions,
): Promise<DomainNumbers> {
  const [alive, recorded, served] = await Promise.all(
    [DOMAINS, LIBXL, DEVICE_MODELS].map(async (folder) => {
      const nodes = await xenstore.readMany(
        domids.map((domid) => `${folder}/${domid}`),
        call,
      );
      return new Set(domids.filter((_, i) => nodes[i] !== undefined));
    }),
  );
  return { alive: alive!, recorded: recorded!, served: served! };
}

/** Two waves: which domains there are and what they are called; which controllers they, or `only` that one, have. */
export async function observeDomains(
  xenstore: XenstoreNodes,
  call: CallOptions,
  only?: number,
): Promise<ObservedDomains> {
  return describeDomains(xenstore, await observeNumbers(xenstore, call), call, only);
}

/** One wave: what these domains are called, and which controllers they, or `only` that one, have. */
export async function describeDomains(
  xenstore: XenstoreNodes,
  { alive, recorded, served }: DomainNumbers,
  call: CallOptions,
  only?: number,
): Promise<ObservedDomains> {
  const domids = [...new Set([...alive, ...recorded])].sort((a, b) => a - b);
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
    observeDeviceModels(xenstore, [...served], call),
  ]);
  const domains = domids.map((domid, i): Domain => {
    const [name, type, uuid] = [names[i], types[i], parseVmPath(vms[i])];
    return {
      domid,
      ...(name === undefined ? {} : { name }),
      ...(isDomainType(type) ? { type } : {}),
      ...(uuid === undefined ? {} : { uuid }),
      alive: alive.has(domid),
      ...(models.has(domid) ? { deviceModel: models.get(domid)! } : {}),
    };
  });
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

function isDomainType(text: string | undefined): text is DomainType {
  return text === 'pv' || text === 'pvh' || text === 'hvm';
}
