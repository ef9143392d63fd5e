/**
 * Plans that keep the addresses in saved configurations true. libxl names a device by bus and address, which change at
 * every replug and host reboot: an uncorrected file gives the guest another device at its next start.
 */
import { configDifference } from '../model/config-difference.js';
import type { Inventory, SavedSettings } from '../model/inventory.js';
import type { ConfigEdit, Plan } from '../model/plan.js';
import { nameDomain } from '../model/wording.js';

/**
 * Makes a domain's saved configuration name its devices by their current addresses. Entries without a device or a port
 * are removed: libxl 4.17 saves some forms of `usbdev=` like that, and loses the guest at its next reboot because of
 * them.
 */
export function planAddresses(inventory: Inventory, saved: SavedSettings): Plan {
  const { domid } = saved;
  const nameless = saved.devices.filter(
    ({ ctrl, port, hostbus }) => ctrl < 0 || port < 1 || hostbus === undefined,
  );
  const isWrong = (edit: ConfigEdit): boolean =>
    edit.edit === 'add-device' ||
    (edit.edit === 'remove-device' &&
      nameless.some(({ ctrl, port }) => ctrl === edit.ctrl && port === edit.port));
  const difference = configDifference(inventory, saved, isWrong);
  const title = `correct the addresses in the saved configuration of ${nameDomain(inventory, domid)}`;
  if (!difference) return { title, steps: [], onFailure: 'stop' };
  const { uuid, edits, facts } = difference;
  const config = { domid, uuid, edits };
  return {
    title,
    steps: [{ why: title, act: { do: 'commit', expect: facts, edits: [], config } }],
    onFailure: 'stop',
  };
}
