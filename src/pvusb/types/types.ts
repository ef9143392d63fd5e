/** The records of all types. */
import { CONTROLLER_TYPES } from '../../libxl/controller-type.js';
import type { UsbDevice } from '../../sysfs/device.js';
import type { PvusbError } from '../model/errors.js';
import type { Controller, ControllerType, Domain, Inventory } from '../model/inventory.js';
import { backendPath, backendsPath, type ControllerId, LIBXL, recordPath } from '../model/layout.js';
import { DEVICEMODEL } from './devicemodel.js';
import { PV } from './pv.js';
import { PV_OWN } from './pv-own.js';
import { QUSB } from './qusb.js';
import type { ControllerTraits, ServedType } from './served-type.js';

const TYPES: Readonly<Record<ControllerType, ServedType>> = { pv: PV, qusb: QUSB, devicemodel: DEVICEMODEL };

/** Every type with its record, in libxl's order. */
export const SERVED_TYPES: readonly (ServedType & { readonly type: ControllerType })[] = CONTROLLER_TYPES.map(
  (type) => ({ type, ...TYPES[type] }),
);

/** All types, in libxl's order. */
export const CONTROLLER_TRAITS: readonly (ControllerTraits & { readonly type: ControllerType })[] =
  SERVED_TYPES;

/** The type of a controller; undefined if it is not known. */
export function traitsOf(controller: Pick<Controller, 'type'>): ControllerTraits | undefined {
  return servedTypeOf(controller);
}

/** The same on a host: who serves type pv depends on its kernel. */
export function traitsOn(
  inventory: Pick<Inventory, 'usbback' | 'backend'>,
  { type }: Pick<Controller, 'type'>,
): ControllerTraits | undefined {
  return type === 'unknown' ? undefined : servedTypeOn(inventory, type);
}

/** The record of a type. */
export function servedType(type: ControllerType): ServedType {
  return TYPES[type];
}

/** The record of a type on a host: type pv is served by the kernel's usbback, or by our own backend. */
export function servedTypeOn(
  inventory: Pick<Inventory, 'usbback' | 'backend'>,
  type: ControllerType,
): ServedType {
  return type === 'pv' && !inventory.usbback && inventory.backend ? PV_OWN : TYPES[type];
}

/** The record of a controller's type; undefined for one that we do not know. */
export function servedTypeOf({ type }: Pick<Controller, 'type'>): ServedType | undefined {
  return type === 'unknown' ? undefined : TYPES[type];
}

/** True for a controller whose devices are held by a QEMU. */
export function isOfQemu(controller: Pick<Controller, 'type'>): boolean {
  return servedTypeOf(controller)?.isOfQemu ?? false;
}

/** What `auto` means on this host for this domain. */
export function usualType(inventory: Inventory, domain: Domain): ControllerType {
  return SERVED_TYPES.find((served) => served.isUsualFor(inventory, domain))!.type;
}

/** Why nothing would serve a controller for its domain; undefined when something does. */
export function serviceProblem(
  inventory: Inventory,
  { type, ...controller }: ControllerId & { readonly type: ControllerType },
): PvusbError | undefined {
  return TYPES[type].serviceProblem(inventory, controller);
}

/** Why a controller cannot have a device of this speed; undefined when it can, or the speed is not known. */
export function speedProblem(
  { type, version }: { readonly type: Controller['type']; readonly version: number },
  { speedMbps }: Pick<UsbDevice, 'speedMbps'>,
): 'too fast' | 'too slow' | undefined {
  return speedMbps === 0 ? undefined : servedTypeOf({ type })?.speedProblem(version, speedMbps);
}

/** What holds a controller's ports: its backend, or its record if its type has no backends. */
export function portsAtOf(controller: ControllerId & { readonly type: ControllerType }): string {
  const kind = TYPES[controller.type].backend;
  return kind === undefined ? recordPath(controller) : backendPath(controller, kind);
}

/** The types that may have written a port node, judging by its path. */
export function typesOfPort(path: string): ServedType[] {
  return SERVED_TYPES.filter(({ backend }) =>
    path.startsWith(backend === undefined ? `${LIBXL}/` : `${backendsPath(backend)}/`),
  );
}
