/** Brings a domain to what a configuration says, one change at a time: the first difference is the next change. Pure. */
import type { Busid, UsbDevice } from '../sysfs/index.js';
import { PvusbError } from './errors.js';
import { allPorts, controllersOf, findDevice, isTaken, type Place } from './find.js';
import { withController, withDevice, withoutController, withoutDevice } from './imagine.js';
import type { Controller, Domain, Inventory } from './model.js';
import type { Plan } from './plan.js';
import { planAttach } from './plan-attach.js';
import { planAddController, planRemoveController } from './plan-controller.js';
import { planDetach } from './plan-detach.js';
import { type ControllerRequest, resolveController, usualPorts } from './resolve.js';
import { isServed, type Served } from './service.js';

/** What a configuration says of a domain's USB. */
export interface WantedUsb {
  readonly controllers: readonly WantedController[];
  readonly devices: readonly WantedDevice[];
}

/** A controller that a domain shall have. Without a type any will do; version and ports are the usual ones unless given. */
export interface WantedController extends Omit<ControllerRequest, 'devid'> {
  readonly devid: number;
  /** Where that was said, for the error: `u1.cfg:3:12`. */
  readonly said?: string | undefined;
}

/** A device that a domain shall have. */
export interface WantedDevice {
  /** As for an attach: busid, `bus.address`, ids, ids and serial number. */
  readonly device: string;
  /** On this controller; any unless given. */
  readonly devid?: number | undefined;
  /** In this port of it; any unless given. */
  readonly port?: number | undefined;
  /** Where that was said, for the error. */
  readonly said?: string | undefined;
}

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

/** A change, how it is made, and the host after it. */
export interface PlannedAdjustment {
  readonly adjustment: Adjustment;
  readonly plan: Plan;
  readonly after: Inventory;
}

/** What is left alone. */
export interface ApplyRules {
  /** What the domain has beyond the configuration stays, and where it is. */
  readonly addsOnly?: boolean | undefined;
}

/** Two changes of one thing in one plan would be one too many. */
const CHANGES_MAX = 10_000;

/**
 * All changes, each planned on the host as the ones before will leave it.
 *
 * @throws {PvusbError} what refuses an attach or a controller, with where that was said
 */
export function planApply(
  inventory: Inventory,
  domain: Domain,
  wanted: WantedUsb,
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
 * The first change that is missing; undefined when the domain is as the configuration says. What is to go goes first,
 * but for controllers that nothing names: a device may need one.
 *
 * @throws {PvusbError} as {@link planApply}
 */
export function nextAdjustment(
  inventory: Inventory,
  domain: Domain,
  wanted: WantedUsb,
  { addsOnly = false }: ApplyRules = {},
): PlannedAdjustment | undefined {
  const devices = wanted.devices.map((asked): Asked => {
    return { ...asked, device: saying(asked, () => findDevice(inventory, asked.device)) };
  });
  refuseTwice(devices);
  const before = addsOnly ? undefined : firstLess(inventory, domain, wanted, devices);
  const more = before ?? firstMore(inventory, domain, wanted, devices, addsOnly);
  return more ?? (addsOnly ? undefined : firstUnnamed(inventory, domain, wanted));
}

/** A device that was asked for, found. */
interface Asked extends Omit<WantedDevice, 'device'> {
  readonly device: UsbDevice;
}

function refuseTwice(devices: readonly Asked[]): void {
  for (const [i, asked] of devices.entries()) {
    const { busid } = asked.device;
    if (devices.findIndex(({ device }) => device.busid === busid) === i) continue;
    saying(asked, () => {
      throw new PvusbError('invalid-argument', `${busid} is asked for twice.`, { where: { busid } });
    });
  }
}

/** Runs a planner for something that was asked for; its refusal says where that was. */
function saying<T>({ said }: { readonly said?: string | undefined }, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (said === undefined || !(error instanceof PvusbError)) throw error;
    const { code, message, where, leftOver } = error;
    throw new PvusbError(code, `${said}: ${message}`, { where, leftOver, cause: error });
  }
}

/** A device to be detached, or a controller to be removed since it is to be another. */
function firstLess(
  inventory: Inventory,
  domain: Domain,
  wanted: WantedUsb,
  devices: readonly Asked[],
): PlannedAdjustment | undefined {
  for (const controller of controllersOf(inventory, domain.domid).filter(isServed)) {
    const asked = wanted.controllers.find(({ devid }) => devid === controller.devid);
    if (asked && !isSuch(controller, asked)) return removing(inventory, controller);
    for (const port of allPorts(controller)) {
      const place = { controller, port };
      const isWanted = devices.some(({ device, ...at }) => port.busid === device.busid && isAt(place, at));
      if (port.busid !== undefined && !isWanted) return detaching(inventory, place);
    }
  }
  return undefined;
}

/** A controller to be added, or a device to be attached. */
function firstMore(
  inventory: Inventory,
  domain: Domain,
  wanted: WantedUsb,
  devices: readonly Asked[],
  addsOnly: boolean,
): PlannedAdjustment | undefined {
  const there = controllersOf(inventory, domain.domid);
  const lacking = wanted.controllers.find(
    ({ devid }) => !there.some((controller) => controller.devid === devid),
  );
  if (lacking) return adding(inventory, domain, lacking);
  const places = there.flatMap((controller) => allPorts(controller).map((port) => ({ controller, port })));
  const missing = devices.find(({ device, ...at }) => {
    return !places.some((place) => place.port.busid === device.busid && (addsOnly || isAt(place, at)));
  });
  return missing && attaching(inventory, domain, missing);
}

/** A controller that nothing names and nothing is on. */
function firstUnnamed(
  inventory: Inventory,
  domain: Domain,
  wanted: WantedUsb,
): PlannedAdjustment | undefined {
  const unnamed = controllersOf(inventory, domain.domid)
    .filter(isServed)
    .find((controller) => {
      const isNamed = wanted.controllers.some(({ devid }) => devid === controller.devid);
      return !isNamed && !allPorts(controller).some(isTaken);
    });
  return unnamed && removing(inventory, unnamed);
}

/** Whether a device is where it shall be. */
function isAt({ controller, port }: Place, at: Pick<WantedDevice, 'devid' | 'port'>): boolean {
  return (at.devid ?? controller.devid) === controller.devid && (at.port ?? port.port) === port.port;
}

/** Whether a controller is what was asked for. One whose removal has begun is none. */
function isSuch(controller: Served, asked: WantedController): boolean {
  const { type = 'auto', version = 2 } = asked;
  const isType = type === 'auto' || type === controller.type;
  const ports = asked.ports ?? usualPorts(controller.type, version);
  return controller.online && isType && controller.version === version && controller.portCount === ports;
}

function detaching(inventory: Inventory, place: Place): PlannedAdjustment {
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

function attaching(inventory: Inventory, domain: Domain, asked: Asked): PlannedAdjustment {
  const { plan, target } = saying(asked, () => planAttach(inventory, domain, asked.device, asked));
  const { domid, devid, port } = target;
  const { busid } = asked.device;
  const after = withDevice(inventory, asked.device, target);
  return { adjustment: { change: 'attached', domid, devid, port, busid }, plan, after };
}
