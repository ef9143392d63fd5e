/** Changes of a domain's saved configuration: what an operation tells it, and how that is carried out. */
import { isLibxlError, type SavedConfig, type SavedDevice } from '../libxl/index.js';
import type { UsbDevice } from '../sysfs/index.js';
import { domainAt } from './find.js';
import type { CallOptions, Host } from './host.js';
import type { Domain, Inventory, SavedSettings } from './model.js';
import type { ConfigChange, ConfigEdit } from './plan.js';

/** The field of a commit that tells a domain's saved configuration; none for a domain that has no uuid. */
export function telling(
  inventory: Pick<Inventory, 'domains'>,
  domid: number,
  edits: readonly ConfigEdit[],
  more: Pick<ConfigChange, 'ifPossible'> = {},
): { readonly config?: ConfigChange } {
  const { uuid, alive } = domainAt(inventory, domid) ?? {};
  return !alive || uuid === undefined || edits.length === 0
    ? {}
    : { config: { domid, uuid, edits, ...more } };
}

/** A device as libxl's file names it: by bus and address. */
export function savedDevice(ctrl: number, port: number, { bus, address }: UsbDevice): SavedDevice {
  return { ctrl, port, hostbus: bus, hostaddr: address };
}

/** The configuration with all changes made; the same one when it says so already. */
export function withEdits(config: SavedConfig, edits: readonly ConfigEdit[]): SavedConfig {
  return edits.reduce(withEdit, config);
}

function withEdit(config: SavedConfig, edit: ConfigEdit): SavedConfig {
  switch (edit.edit) {
    case 'add-controller':
      return config.withController(edit.controller);
    case 'remove-controller':
      return config.withoutController(edit.devid);
    case 'add-device':
      return config.withDevice(edit.device);
    case 'remove-device': {
      const { ctrl, port, only } = edit;
      const there = config.devices.find((device) => device.ctrl === ctrl && device.port === port);
      const isOther = only && (there?.hostbus !== only.hostbus || there?.hostaddr !== only.hostaddr);
      return there === undefined || isOther ? config : config.withoutDevice(ctrl, port);
    }
  }
}

/** What libxl keeps of the living domains: nothing of those that it did not build. */
export async function readSaved(
  host: Host,
  domains: readonly Domain[],
  call: CallOptions,
): Promise<SavedSettings[]> {
  const { userdata, clock } = host;
  if (!userdata) return [];
  const settings: SavedSettings[] = [];
  for (const { domid, uuid, alive } of domains) {
    if (!alive || uuid === undefined) continue;
    const of = { domid, uuid };
    try {
      const config = await userdata.withLock(of, { ...call, clock }, (held) => held.read());
      if (config) settings.push({ ...of, controllers: config.controllers, devices: config.devices });
    } catch (error) {
      if (!isLibxlError(error)) throw error;
      const problem = error.message.replace(/\.$/, '');
      settings.push({ ...of, controllers: [], devices: [], problem });
    }
  }
  return settings;
}

/** True for trouble with the file itself, which waiting would not end. */
export function isUnusable(error: unknown): boolean {
  return isLibxlError(error) && !isLibxlError(error, 'timeout');
}
