/** Domains and controllers in libxl's JSON (`xl list -l`), as output and input, for scripts that use it. */
import { isLibxlError, SavedConfig } from '../../libxl/index.js';
import { configDifference } from '../model/config-difference.js';
import { isPvusbError, PvusbError } from '../model/errors.js';
import { toPvusbError } from '../model/failure.js';
import { type DomainName, findDomain, livingGuests } from '../model/find.js';
import type { Controller, Domain, Inventory } from '../model/inventory.js';
import { withEdits } from '../model/saved-config.js';
import { labelDomain } from '../model/wording.js';
import type { CallOptions, Host } from '../observe/host.js';
import { observe } from '../observe/observe.js';
import { readConfig } from '../observe/saved-config.js';
import type { WantedUsb } from '../plan/wanted.js';
import type { ListRequest } from './listing.js';

/** A guest in libxl's terms. */
export interface LibxlDomain {
  readonly domid: number;
  /** JSON (libxl_types.idl: domain_config), each number as libxl wrote it. */
  readonly config: string;
  /** Why only part of it is known, a sentence: libxl's file could not be read. */
  readonly problem?: string;
}

/**
 * The configurations of one guest or all: what libxl stores about each, with the controllers and devices that it has
 * now. For a guest that libxl did not build, only these, its name, type and uuid; when all are listed, the same for one
 * whose file cannot be read.
 *
 * @throws {PvusbError} `no-such-domain`, `config-locked`, `config-unusable`, or one of the host's
 */
export async function libxlDomains(
  host: Host,
  request: ListRequest = {},
  options: CallOptions = {},
): Promise<LibxlDomain[]> {
  const inventory = await observe(host, { ...options, scope: 'controllers' });
  const wanted =
    request.domain === undefined ? livingGuests(inventory) : [findDomain(inventory, request.domain)];
  const found: LibxlDomain[] = [];
  for (const domain of wanted) {
    const { domid } = domain;
    try {
      const config = (await configOf(host, domain, options)) ?? bareConfig(domain);
      found.push({ domid, config: textOf(upToDate(inventory, domain, config)) });
    } catch (error) {
      const isOne = request.domain !== undefined;
      if (isOne || !isPvusbError(error, 'config-unusable', 'config-locked')) throw error;
      found.push({ domid, config: libxlUsb(inventory, domain), problem: error.message });
    }
  }
  return found;
}

/**
 * What a guest has, in libxl's JSON: its name, its controllers and its devices. Empty lists are written, unlike by
 * libxl: for {@link parseLibxlUsb} a missing list says nothing.
 */
export function libxlUsb(inventory: Inventory, domain: Domain): string {
  const text = textOf(upToDate(inventory, domain, bareConfig(domain)));
  const { c_info, usbctrls = [], usbdevs = [] } = JSON.parse(text) as Readonly<Record<string, unknown>>;
  return JSON.stringify({ c_info, usbctrls, usbdevs }, null, 4);
}

async function configOf(host: Host, domain: Domain, options: CallOptions): Promise<SavedConfig | undefined> {
  const { domid, uuid } = domain;
  if (uuid === undefined) return undefined;
  try {
    return await readConfig(host, { domid, uuid }, options);
  } catch (error) {
    if (isLibxlError(error, 'unsupported')) return undefined;
    const doing = `reading the saved configuration of ${labelDomain(domain)}`;
    throw toPvusbError(error, { doing, where: { domid }, signal: options.signal });
  }
}

function bareConfig({ type, name, uuid }: Domain): SavedConfig {
  return SavedConfig.parse(Buffer.from(JSON.stringify({ c_info: { type, name, uuid } }, null, 4)));
}

function upToDate(inventory: Inventory, { domid, uuid = '' }: Domain, config: SavedConfig): SavedConfig {
  const { controllers, devices } = config;
  const difference = configDifference(inventory, { domid, uuid, controllers, devices });
  return difference ? withEdits(config, difference.edits) : config;
}

function textOf(config: SavedConfig): string {
  return config.toBytes().toString('utf8').replace(/\0$/, '').trimEnd();
}

/** A controller in libxl's terms (libxl_types.idl: usbctrlinfo). What is not known is left out. */
export function libxlControllerInfo(controller: Controller): Readonly<Record<string, string | number>> {
  const { domid, devid, type, version, portCount, backend, backendDomid, frontend } = controller;
  const { state, eventChannel, urbRingRef, connRingRef } = controller.untrustedFrontend;
  const known = {
    type,
    devid,
    version,
    ports: portCount,
    backend,
    backend_id: backendDomid,
    frontend,
    frontend_id: domid,
    state,
    evtch: eventChannel,
    ref_urb: urbRingRef,
    ref_conn: connRingRef,
  };
  const entries = Object.entries(known).filter((entry): entry is [string, string | number] => {
    return entry[1] !== undefined;
  });
  return Object.fromEntries(entries);
}

/**
 * What a configuration in libxl's JSON wants: a domain's saved configuration, or a list of them in the form of `xl list
 * -l`, of which the one for the domain with this number or name is used.
 *
 * @throws {PvusbError} `invalid-configuration`
 */
export function parseLibxlUsb(untrustedText: string, domain?: DomainName): WantedUsb {
  const { name, keys, config } = parseConfig(untrustedText, domain);
  let next = Math.max(-1, ...config.controllers.map(({ devid }) => devid)) + 1;
  const controllers = config.controllers.map(({ devid, ...controller }) => ({
    ...controller,
    // -1 and auto: libxl was left to choose.
    devid: devid < 0 ? next++ : devid,
    said: `usbctrls, controller ${devid}`,
  }));
  const devices = config.devices.map(({ ctrl, port, hostbus, hostaddr }) => {
    const said = `usbdevs, port ${port} of controller ${ctrl}`;
    if (hostbus === undefined || hostaddr === undefined) {
      throw refusal(`${said}: hostbus and hostaddr are missing, so it does not name a device`);
    }
    const at = { ...(ctrl < 0 ? {} : { devid: ctrl }), ...(port < 1 ? {} : { port }) };
    return { device: `${hostbus}.${hostaddr}`, ...at, said };
  });
  return {
    ...(name === undefined ? {} : { name }),
    ...(keys.includes('usbctrls') ? { controllers } : {}),
    ...(keys.includes('usbdevs') ? { devices } : {}),
  };
}

/** A configuration, and what else it says besides its USB. */
interface ParsedConfig {
  readonly config: SavedConfig;
  readonly name: string | undefined;
  readonly keys: readonly string[];
}

function parseConfig(untrustedText: string, domain: DomainName | undefined): ParsedConfig {
  try {
    const value: unknown = JSON.parse(untrustedText.replace(/\0$/, ''));
    const entry = Array.isArray(value) ? entryFor(value, domain) : value;
    const config = isRecord(entry) && 'config' in entry ? entry.config : entry;
    if (!isRecord(config) || !['c_info', 'usbctrls', 'usbdevs'].some((key) => key in config)) {
      throw refusal("it has neither c_info, usbctrls nor usbdevs, so it is not libxl's");
    }
    const name = isRecord(config.c_info) ? config.c_info.name : undefined;
    return {
      config: SavedConfig.parse(Buffer.from(JSON.stringify(config))),
      name: typeof name === 'string' ? name : undefined,
      keys: Object.keys(config),
    };
  } catch (error) {
    if (error instanceof PvusbError) throw error;
    throw refusal(error instanceof Error ? error.message.replace(/\.$/, '') : String(error));
  }
}

function entryFor(entries: readonly unknown[], domain: DomainName | undefined): unknown {
  const [only] = entries;
  if (entries.length === 1 && (domain === undefined || isOf(only, domain))) return only;
  const found = entries.filter((entry) => isOf(entry, domain));
  if (found.length === 1) return found[0];
  throw refusal(`it has ${entries.length} domains, of which ${found.length} are ${domain ?? 'asked for'}`);
}

function isOf(entry: unknown, domain: DomainName | undefined): boolean {
  if (!isRecord(entry) || domain === undefined) return false;
  if (String(entry.domid) === String(domain)) return true;
  const { config } = entry;
  return isRecord(config) && isRecord(config.c_info) && config.c_info.name === domain;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function refusal(why: string): PvusbError {
  return new PvusbError('invalid-configuration', `The configuration cannot be used: ${why}.`);
}
