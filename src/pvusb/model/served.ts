/** The controllers that can be changed: of a type that is known, and served by domain 0. Pure. */
import { PvusbError } from './errors.js';
import type { Controller, ControllerType } from './inventory.js';
import { capitalise, type Named, nameController, nameDomain } from './wording.js';

/** A controller of a known type that domain 0 serves: one that can be changed. */
export interface Served extends Controller {
  readonly type: ControllerType;
  readonly portsAt: string;
}

/**
 * Lets through what can be changed.
 *
 * @throws {PvusbError} `unsupported-type`, `unsupported-backend`
 */
export function requireServed(named: Named, controller: Controller): Served {
  const { domid, devid, type, backendDomid, portsAt } = controller;
  const where = { domid, devid };
  const name = capitalise(nameController(named, controller));
  if (type === 'unknown' || portsAt === undefined) {
    const sentence = `${name} is of a type that pvusb does not know, and is left alone.`;
    throw new PvusbError('unsupported-type', sentence, { where });
  }
  if (backendDomid !== 0) {
    const sentence = `${name} is served by ${nameDomain(named, backendDomid)}.`;
    throw new PvusbError('unsupported-backend', sentence, { where });
  }
  return { ...controller, type, portsAt };
}

/** True for a controller that can be changed: of a known type, and served by domain 0. */
export function isServed(controller: Controller): controller is Served {
  const { type, backendDomid, portsAt } = controller;
  return type !== 'unknown' && backendDomid === 0 && portsAt !== undefined;
}
