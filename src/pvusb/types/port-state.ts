/** What has become of a device that a port names. */
import { deviceAt, isOf, type Place, savedFor } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import { PV } from './pv.js';
import { shownOf } from './pv-own.js';
import type { PortState } from './served-type.js';
import { servedTypeOn } from './types.js';

/** The state of a port; undefined when it names no device. */
export function portState(inventory: Inventory, place: Place): PortState | undefined {
  const { controller, port } = place;
  const { busid } = port;
  if (busid === undefined) return undefined;
  const device = deviceAt(inventory, busid);
  if (!device) return 'missing';
  if (!isOf(savedFor(inventory, busid), device, true)) return 'other-device';
  // For an unknown type no more can be said than for usbback's.
  const type = controller.type === 'unknown' ? PV : servedTypeOn(inventory, controller.type);
  if (type.isOpen(inventory, place) === false) return 'not-opened';
  return type.lentState(device, controller.untrustedFrontend.state, shownOf(inventory, place));
}
