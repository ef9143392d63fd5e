/**
 * Reads the host into one Inventory: xenstore in four waves of requests whatever its size (five if another toolstack
 * has written ports that do not exist), sysfs at the same time.
 */
import type { Busid } from '../../sysfs/busid.js';
import { withoutDetails } from '../../sysfs/details.js';
import { toPvusbError } from '../model/failure.js';
import type { Domain, Inventory, QemuAnswer } from '../model/inventory.js';
import { observeBackends } from './backends.js';
import { type ControllersCall, observeWithControllers } from './controllers.js';
import type { CallOptions, Host, XenstoreNodes } from './host.js';
import { observeOwnBackend, observePvServer } from './own-backend.js';
import { askQemu, qemusToAsk } from './qemu.js';
import { readSaved } from './saved-config.js';
import { observeSavedDrivers, observeSavedOf } from './saved-drivers.js';
import { observeUses, type UsesAsked } from './uses.js';

/** How much of the host is read. */
export interface ObserveOptions extends CallOptions {
  /**
   * `all` (the default): everything. `controllers`: domains, controllers, the devices in their ports and what is saved
   * for these; neither orphans nor the host's other devices. Cheaper, and enough for a list.
   */
  readonly scope?: 'all' | 'controllers' | undefined;
  /** Only this domain's controllers; with scope `controllers`. */
  readonly only?: number | undefined;
  /** Which domains' QEMUs are asked: all that are involved with USB, or these; none unless given. */
  readonly asks?: 'all' | ((seen: Inventory) => readonly number[]) | undefined;
  /** The living domains for which what libxl stores is read too; none unless given. */
  readonly saved?: 'all' | readonly number[] | undefined;
  /**
   * Which devices' uses by the host itself are looked for: `all`, as far as that is cheap; or, thoroughly, those of
   * devices that are about to be lent. None unless given.
   */
  readonly uses?: UsesAsked | undefined;
  /** The rules too; and if there are any, devices with details. */
  readonly rules?: boolean | undefined;
  /** The quiesced guests too; with rules they are read anyway. */
  readonly quiesced?: boolean | undefined;
  /** Devices with the details that only rules use: the other halves of their sockets, descriptors, hashes. */
  readonly details?: boolean | undefined;
  /**
   * Also what guests say of their rings in `untrustedFrontend`; with scope `controllers` it is read anyway. With `from`,
   * if that look has it.
   */
  readonly rings?: boolean | undefined;
  /** A look that was just made: only what it lacks is added. */
  readonly from?: Inventory | undefined;
}

/**
 * Observes the host.
 *
 * @throws {PvusbError} of the host's group, `connection-lost` or `aborted`
 */
export async function observe(host: Host, options: ObserveOptions = {}): Promise<Inventory> {
  try {
    const look = options.scope === 'controllers' ? observeSome : observeAll;
    const from = options.from ?? (await host.latest?.({ signal: options.signal }));
    const seen = from ? await complete(host, from, options) : await look(host, options);
    const call = { signal: options.signal };
    const asks = options.asks === 'all' ? qemusToAsk : options.asks;
    const domids = asks?.(seen) ?? [];
    const [qemus, saved, uses] = await Promise.all([
      Promise.all(domids.map((domid) => answerIn(from, domid) ?? askQemu(host, domid, call))),
      options.saved === undefined ? [] : readSaved(host, domainsOf(seen, options.saved), call),
      options.uses === undefined ? undefined : observeUses(host, seen, options.uses, call),
    ]);
    return { ...seen, qemus, saved, ...(uses === undefined ? {} : { uses }) };
  } catch (error) {
    throw toPvusbError(error, { doing: 'observing the host', signal: options.signal });
  }
}

/** What somebody else has asked for this very look. */
function answerIn(from: Inventory | undefined, domid: number): QemuAnswer | undefined {
  return from?.qemus.find((answer) => answer.domid === domid);
}

function domainsOf({ domains }: Inventory, wanted: 'all' | readonly number[]): readonly Domain[] {
  return wanted === 'all' ? domains : domains.filter(({ domid }) => wanted.includes(domid));
}

async function observeAll(host: Host, options: ObserveOptions): Promise<Inventory> {
  const call = { signal: options.signal };
  const { ruleFiles, details } = await observeRules(host, options);
  const [xenstore, devices, server, quiesced = []] = await Promise.all([
    observeXenstore(host.xenstore, { ...call, rings: options.rings }),
    host.sysfs.devices({ ...call, details }),
    observePvServer(host, call),
    options.rules || options.quiesced ? host.quiesced?.list() : undefined,
  ]);
  const backend = await observeOwnBackend(host, server, xenstore.controllers, call);
  return {
    format: 'pvusb-inventory-1',
    usbback: server.usbback,
    ...(backend === undefined ? {} : { backend }),
    devices,
    ...xenstore,
    qemus: [],
    saved: [],
    ...(ruleFiles === undefined ? {} : { ruleFiles }),
    ...(quiesced.length === 0 ? {} : { quiesced }),
  };
}

/** A look that was made for something else: what it lacks is added, and what it has too much is left out. */
async function complete(host: Host, from: Inventory, options: ObserveOptions): Promise<Inventory> {
  const { ruleFiles, details } = await observeRules(host, options);
  const quiesced = options.rules || options.quiesced ? await host.quiesced?.list() : from.quiesced;
  const hasDetails = from.devices.some(({ hash }) => hash !== undefined);
  const devices =
    details && !hasDetails
      ? await host.sysfs.devices({ signal: options.signal, details })
      : details || !hasDetails
        ? from.devices
        : from.devices.map(withoutDetails);
  const { quiesced: _, ...rest } = from;
  const seen: Inventory = {
    ...rest,
    devices,
    ...(ruleFiles === undefined ? {} : { ruleFiles }),
    ...(quiesced?.length ? { quiesced } : {}),
  };
  return options.scope === 'controllers' ? someOf(seen, options.only) : seen;
}

/** What {@link observeSome} would have seen. */
function someOf(seen: Inventory, only: number | undefined): Inventory {
  const controllers = seen.controllers.filter(({ domid }) => domid === (only ?? domid));
  const busids = new Set(controllers.flatMap(({ ports }) => ports.flatMap(({ busid }) => busid ?? [])));
  const isIn = ({ busid }: { readonly busid: Busid }): boolean => busids.has(busid);
  return {
    ...seen,
    controllers,
    devices: seen.devices.filter(isIn),
    savedDrivers: seen.savedDrivers.filter(isIn),
    orphanBackends: [],
  };
}

/** Most hosts have no rules: then devices need no details for them. */
async function observeRules({ rules }: Host, { signal, details, ...options }: ObserveOptions) {
  const ruleFiles = options.rules ? await rules?.read({ signal }) : undefined;
  const hasRules = ruleFiles?.some(({ text }) => text.trim() !== '') ?? false;
  return { ruleFiles, details: details || hasRules };
}

/** Controllers first, then only the devices that are in their ports. */
async function observeSome(host: Host, options: ObserveOptions): Promise<Inventory> {
  const call = { signal: options.signal };
  const [{ domains, controllers }, server] = await Promise.all([
    observeWithControllers(host.xenstore, { ...call, only: options.only, rings: true }),
    observePvServer(host, call),
  ]);
  const wanted = controllers.flatMap(({ ports }) => ports.flatMap(({ busid }) => busid ?? []));
  const [devices, savedDrivers] = await Promise.all([
    wanted.length === 0 ? [] : host.sysfs.devices({ ...call, wanted }),
    observeSavedOf(host.xenstore, [...new Set(wanted)], call),
  ]);
  const backend = await observeOwnBackend(host, server, controllers, call);
  return {
    format: 'pvusb-inventory-1',
    usbback: server.usbback,
    ...(backend === undefined ? {} : { backend }),
    devices,
    domains,
    controllers,
    qemus: [],
    saved: [],
    savedDrivers,
    orphanBackends: [],
  };
}

async function observeXenstore(xenstore: XenstoreNodes, options: ControllersCall) {
  const call = { signal: options.signal };
  const [{ domains, devids, controllers }, savedDrivers, backends] = await Promise.all([
    observeWithControllers(xenstore, options),
    observeSavedDrivers(xenstore, call),
    observeBackends(xenstore, call),
  ]);
  const known = new Set(devids.map(({ domid, devid }) => `${domid}/${devid}`));
  const orphanBackends = backends.filter(({ domid, devid }) => !known.has(`${domid}/${devid}`));
  return { domains, controllers, savedDrivers, orphanBackends };
}
