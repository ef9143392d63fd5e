/** Makes a domain match a configuration, one change at a time: the first difference is the next change. Pure. */
import type { Busid } from '../../sysfs/busid.js';
import { hasIdentity } from '../../sysfs/identity.js';
import { PvusbError } from '../model/errors.js';
import {
  allPorts,
  controllersOf,
  deviceAt,
  findControllerOf,
  isTaken,
  type Place,
  placesOf,
} from '../model/find.js';
import type { Controller, Domain, Inventory } from '../model/inventory.js';
import type { Plan } from '../model/plan.js';
import { isServed, requireServed, type Served } from '../model/served.js';
import { portState } from '../types/port-state.js';
import { planAttach } from './attach.js';
import { planAddController, planRemoveController } from './controller.js';
import { planDetach, unfinishedDetaches } from './detach.js';
import { withController, withDevice, withoutController, withoutDevice } from './forecast.js';

import { resolveController, usualPorts } from './resolve.js';
import {
  type ApplyRules,
  type FoundDevice,
  type FoundUsb,
  saying,
  type WantedController,
  type WantedDevice,
} from './wanted.js';

/** One change of a domain. */
export type Adjustment =
  | {
      readonly change: 'attached' | 'detached';
      readonly domid: number;
      readonly devid: number;
      readonly port: number;
      readonly busid?: Busid;
    }
  | {
      readonly change: 'added' | 'removed';
      readonly domid: number;
      readonly devid: number;
      readonly type: Controller['type'];
      readonly version: number;
      readonly ports: number;
    };

/** A change, the plan for it, and the host after it. */
export interface PlannedAdjustment {
  readonly adjustment: Adjustment;
  readonly plan: Plan;
  readonly after: Inventory;
}

/** More changes than any configuration needs. */
const CHANGES_MAX = 10_000;

/**
 * All changes, each planned on the host as the previous ones will leave it.
 *
 * @throws {PvusbError} what refuses an attach or a controller, with the place where it was asked for
 */
export function planApply(
  inventory: Inventory,
  domain: Domain,
  wanted: FoundUsb,
  rules: ApplyRules = {},
): PlannedAdjustment[] {
  const changes: PlannedAdjustment[] = [];
  let now = inventory;
  for (;;) {
    const next = nextAdjustment(now, domain, wanted, rules);
    if (!next) return changes;
    changes.push(next);
    now = next.after;
    if (changes.length > CHANGES_MAX) throw new PvusbError('internal', 'The changes have no end.');
  }
}

/**
 * The first change that is missing; undefined when the domain matches the configuration. Removals come first, except
 * for controllers that nothing names: a device may need one.
 *
 * @throws {PvusbError} as {@link planApply}
 */
export function nextAdjustment(
  inventory: Inventory,
  domain: Domain,
  wanted: FoundUsb,
  { addsOnly = false }: ApplyRules = {},
): PlannedAdjustment | undefined {
  for (const asked of wanted.controllers) saying(asked, () => requireOurs(inventory, domain, asked));
  return (
    (addsOnly ? undefined : firstLess(inventory, domain, wanted)) ??
    firstMore(inventory, domain, wanted, addsOnly) ??
    (addsOnly ? undefined : firstUnnamed(inventory, domain, wanted))
  );
}

/** A controller of an unknown type, or of a driver domain, cannot become what is asked for. */
function requireOurs(inventory: Inventory, { domid }: Domain, { devid }: WantedController): void {
  const there = findControllerOf(inventory, { domid, devid });
  if (there) requireServed(inventory, there);
}

/** A device to be detached, or a controller to be removed because it is to be replaced. */
function firstLess(inventory: Inventory, domain: Domain, wanted: FoundUsb): PlannedAdjustment | undefined {
  for (const controller of controllersOf(inventory, domain.domid).filter(isServed)) {
    const asked = wanted.controllers.find(({ devid }) => devid === controller.devid);
    if (asked && !isSuch(controller, asked)) return removing(inventory, controller);
    for (const port of allPorts(controller)) {
      const place = { controller, port };
      const isLeft = unfinishedDetaches(inventory, place).length > 0;
      if (isLeft || (port.busid !== undefined && !isWanted(inventory, wanted, place))) {
        return detaching(inventory, place);
      }
    }
  }
  return undefined;
}

/** Whether what is in a port belongs there, and the guest can have it. */
function isWanted(inventory: Inventory, { devices }: FoundUsb, place: Place): boolean {
  const here = devices.find(({ busid, ...at }) => busid === place.port.busid && isAt(place, at));
  const isNamedFor = ({ devid, port }: FoundDevice): boolean =>
    devid === place.controller.devid && port === place.port.port;
  if (!here || devices.some((other) => other !== here && isNamedFor(other))) return false;
  return isLent(inventory, place);
}

/** Whether a guest has what its port names, or will have it when it takes it. */
export function isLent(inventory: Inventory, place: Place): boolean {
  const state = portState(inventory, place);
  return state === 'in-use' || state === 'waiting';
}

/** A controller to be added, or a device to be attached. */
function firstMore(
  inventory: Inventory,
  domain: Domain,
  wanted: FoundUsb,
  addsOnly: boolean,
): PlannedAdjustment | undefined {
  const there = controllersOf(inventory, domain.domid);
  const lacking = wanted.controllers.find(
    ({ devid }) => !there.some((controller) => controller.devid === devid),
  );
  if (lacking) return adding(inventory, domain, lacking);
  const missing = wanted.devices.find(({ busid, ...at }) => {
    const places = placesOf(inventory, busid).filter(({ controller }) => controller.domid === domain.domid);
    return !places.some((place) => addsOnly || isAt(place, at));
  });
  return missing && attaching(inventory, domain, missing);
}

/** A controller that nothing names and that has no devices. */
function firstUnnamed(inventory: Inventory, domain: Domain, wanted: FoundUsb): PlannedAdjustment | undefined {
  const unnamed = controllersOf(inventory, domain.domid)
    .filter(isServed)
    .find((controller) => {
      const isNamed = wanted.controllers.some(({ devid }) => devid === controller.devid);
      return !isNamed && !allPorts(controller).some(isTaken);
    });
  return unnamed && removing(inventory, unnamed);
}

/** Whether a device is where it should be. */
function isAt({ controller, port }: Place, at: Pick<WantedDevice, 'devid' | 'port'>): boolean {
  return (at.devid ?? controller.devid) === controller.devid && (at.port ?? port.port) === port.port;
}

/** Whether a controller is what was asked for. One whose removal has begun does not count. */
function isSuch(controller: Served, asked: WantedController): boolean {
  const { type = 'auto', version = 2, backendDomid = 0, backendDomname } = asked;
  const isType = type === 'auto' || type === controller.type;
  const isHosts = backendDomid === controller.backendDomid && backendDomname === undefined;
  const ports = asked.ports ?? usualPorts(controller.type, version);
  const isSize = controller.version === version && controller.portCount === ports;
  return controller.online && isType && isHosts && isSize;
}

/** The change that empties a port. */
export function detaching(inventory: Inventory, place: Place): PlannedAdjustment {
  const { domid, devid } = place.controller;
  const { port, busid } = place.port;
  const adjustment = { change: 'detached', domid, devid, port, ...(busid ? { busid } : {}) } as const;
  const after = withoutDevice(inventory, { domid, devid, port });
  return { adjustment, plan: planDetach(inventory, place), after };
}

function removing(inventory: Inventory, controller: Controller): PlannedAdjustment {
  const { domid, devid, type, version, portCount } = controller;
  const plan = planRemoveController(inventory, controller, { destroy: false });
  const after = withoutController(inventory, controller);
  return { adjustment: { change: 'removed', domid, devid, type, version, ports: portCount }, plan, after };
}

function adding(inventory: Inventory, domain: Domain, asked: WantedController): PlannedAdjustment {
  const controller = saying(asked, () => resolveController(inventory, domain, asked));
  const { domid, devid, type, version, ports } = controller;
  const plan = planAddController(inventory, controller);
  const after = withController(inventory, controller);
  return { adjustment: { change: 'added', domid, devid, type, version, ports }, plan, after };
}

function attaching(inventory: Inventory, domain: Domain, asked: FoundDevice): PlannedAdjustment {
  const { busid, identity } = asked;
  const device = deviceAt(inventory, busid);
  if (!device || !hasIdentity(device, identity)) {
    const sentence = `${busid} has been pulled out, or exchanged for another device.`;
    throw new PvusbError('no-such-device', sentence, { where: { domid: domain.domid, busid } });
  }
  const { plan, target } = saying(asked, () => planAttach(inventory, domain, device, asked));
  const { domid, devid, port } = target;
  const after = withDevice(inventory, device, target);
  return { adjustment: { change: 'attached', domid, devid, port, busid }, plan, after };
}
