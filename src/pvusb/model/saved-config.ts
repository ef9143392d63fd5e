/** Changes to a domain's saved configuration: what an operation writes into it. Pure. */

import type { SavedDevice } from '../../libxl/entries.js';
import type { SavedConfig } from '../../libxl/saved-config.js';
import type { UsbDevice } from '../../sysfs/device.js';
import { controllersOf, deviceAt, domainAt, isOf, savedFor } from './find.js';
import type { Inventory } from './inventory.js';
import { portPath } from './layout.js';
import type { ConfigChange, ConfigEdit, KnownDevice } from './plan.js';
import { isServed } from './served.js';

/**
 * The part of a commit that changes a domain's saved configuration; none for a domain without a uuid. It also corrects
 * what the file says about the domain's other devices: the address of a replugged one has changed.
 */
export function telling(
  inventory: Inventory,
  domid: number,
  edits: readonly ConfigEdit[],
  more: Pick<ConfigChange, 'ifPossible'> = {},
): { readonly config?: ConfigChange } {
  const { uuid, alive } = domainAt(inventory, domid) ?? {};
  if (!alive || uuid === undefined) return {};
  const known = knownDevices(inventory, domid).filter(({ device }) => !edits.some(isAbout(device)));
  return { config: { domid, uuid, edits, ...(known.length > 0 ? { known } : {}), ...more } };
}

/** The devices that a domain has, as its file should name them: not those that were pulled out, or exchanged for others. */
export function knownDevices(inventory: Inventory, domid: number): KnownDevice[] {
  return controllersOf(inventory, domid)
    .filter(isServed)
    .flatMap(({ devid, ports, portsAt }) =>
      ports.flatMap(({ port, busid }): KnownDevice[] => {
        const device = busid === undefined ? undefined : deviceAt(inventory, busid);
        if (!device || !isOf(savedFor(inventory, device.busid), device, true)) return [];
        const path = portPath(portsAt, port);
        return [{ path, busid: device.busid, device: savedDevice(devid, port, device) }];
      }),
    );
}

function isAbout({ ctrl, port }: SavedDevice): (edit: ConfigEdit) => boolean {
  return (edit) => {
    const at = edit.edit === 'add-device' ? edit.device : edit.edit === 'remove-device' ? edit : undefined;
    return at?.ctrl === ctrl && at.port === port;
  };
}

/** A device as libxl's file names it: by bus and address. */
export function savedDevice(ctrl: number, port: number, { bus, address }: UsbDevice): SavedDevice {
  return { ctrl, port, hostbus: bus, hostaddr: address };
}

/** The configuration with all changes made; the same one if it already says so. */
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
