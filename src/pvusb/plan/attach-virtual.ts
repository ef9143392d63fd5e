/** Plans that give a guest a virtual device. Pure. */
import { PvusbError } from '../model/errors.js';
import { virtualPlaces } from '../model/find.js';
import type { Domain, Inventory } from '../model/inventory.js';
import { excludeEachOther, type VirtualName, virtualSpeed } from '../model/virtual.js';
import { namePort } from '../model/wording.js';
import { openedStep } from '../types/pv-own.js';
import { servedTypeOn } from '../types/types.js';
import { type AttachPlan, serveSteps } from './attach.js';
import { addSteps } from './controller.js';
import { type AttachRequest, chooseTarget } from './target.js';
import { virtualClaimStep } from './virtual.js';

/**
 * Writes the device's name where only domain 0 can, and waits until the backend has opened it. Undone, it leaves the host
 * as it was.
 *
 * @throws {PvusbError} `invalid-argument` (domain 0), `no-usbback` (pvusb's backend is not running), `already-attached`
 *   and what else {@link chooseTarget} refuses with
 */
export function planAttachVirtual(
  inventory: Inventory,
  domain: Domain,
  name: VirtualName,
  request: AttachRequest = {},
): AttachPlan {
  if (domain.domid === 0) {
    const sentence = `Domain 0 cannot be given ${name}: virtual devices are for guests.`;
    throw new PvusbError('invalid-argument', sentence, { where: { domid: 0 } });
  }
  if (!servedTypeOn(inventory, 'pv').servesVirtual) {
    const sentence = `Only pvusb's own backend has virtual devices, and it is not running: ${name} cannot be attached.`;
    const remedy = 'Start it: systemctl start pvusb-backend, or "pvusb backend".';
    throw new PvusbError('no-usbback', sentence, { where: { domid: domain.domid }, remedy });
  }
  const [other] = virtualPlaces(inventory, (one) => excludeEachOther(one, name));
  if (other) {
    const { domid, devid } = other.controller;
    const at = { domid, devid, port: other.port.port };
    const sentence = `The image of ${name} is in use: ${other.port.virtual} is attached to ${namePort(inventory, at)}.`;
    throw new PvusbError('already-attached', sentence, { where: at });
  }
  const wanting = { busid: name, speedMbps: virtualSpeed(name), onlyType: 'pv' } as const;
  const target = chooseTarget(inventory, domain, wanting, request);
  return {
    target,
    plan: {
      title: `attach ${name} to ${namePort(inventory, target)}`,
      steps: [
        ...(target.created ? addSteps(inventory, target.created) : serveSteps(inventory, target)),
        virtualClaimStep(inventory, name, target),
        openedStep(target, name),
      ],
      onFailure: 'undo',
    },
  };
}
