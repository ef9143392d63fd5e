/** What has become of a device that a port names. */
import { deviceAt, isOf, type Place, savedFor } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import { XenbusState } from '../model/inventory.js';
import { PortState as Shown } from '../model/layout.js';
import { PV } from './pv.js';
import { shownOf } from './pv-own.js';
import type { PortState } from './served-type.js';
import { servedTypeOn } from './types.js';

/** What has become of a virtual device, judging by what the backend shows of its port and by the guest's frontend. */
export function virtualState(shown: number | undefined, frontendState: number | undefined): PortState {
  if (shown !== Shown.opened && shown !== Shown.configured) return 'not-opened';
  return shown === Shown.configured && frontendState === XenbusState.connected ? 'in-use' : 'waiting';
}

/** The state of a port; undefined when it names no device. */
export function portState(inventory: Inventory, place: Place): PortState | undefined {
  const { controller, port } = place;
  const { busid, virtual } = port;
  if (virtual !== undefined)
    return virtualState(shownOf(inventory, place), controller.untrustedFrontend.state);
  if (busid === undefined) return undefined;
  const device = deviceAt(inventory, busid);
  if (!device) return 'missing';
  if (!isOf(savedFor(inventory, busid), device, true)) return 'other-device';
  // For an unknown type no more can be said than for usbback's.
  const type = controller.type === 'unknown' ? PV : servedTypeOn(inventory, controller.type);
  if (type.isOpen(inventory, place) === false) return 'not-opened';
  return type.lentState(device, controller.untrustedFrontend.state, shownOf(inventory, place));
}
