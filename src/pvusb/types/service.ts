/** Who serves a controller, and whether it does. Pure. */
import type { UsbDevice } from '../../sysfs/index.js';
import { PvusbError, type PvusbErrorCode, type Where } from '../model/errors.js';
import { domainAt, qemuOf } from '../model/find.js';
import type { Controller, ControllerType, Inventory } from '../model/inventory.js';
import type { ControllerId } from '../model/layout.js';

/** True for a type whose devices a QEMU opens, rather than the kernel's usbback. */
export function isOfQemu(type: Controller['type']): boolean {
  return type === 'qusb' || type === 'devicemodel';
}

/** Who takes the devices that a controller is given. */
export function serverOf({ type }: Pick<Controller, 'type'>): string {
  return isOfQemu(type) ? 'QEMU' : 'usbback';
}

/** The error for a QEMU that nobody listens for any more. */
export function deadError(domid: number, where: Where = { domid }): PvusbError {
  return new PvusbError('qemu-dead', `The QEMU that served domain ${domid} has died.`, { where });
}

/** Why nobody would serve a controller of this type for this domain; undefined when somebody does. */
export function serviceProblem(
  inventory: Inventory,
  controller: ControllerId & { readonly type: ControllerType },
): PvusbError | undefined {
  const { domid, devid, type } = controller;
  const problem = (code: PvusbErrorCode, sentence: string): PvusbError =>
    new PvusbError(code, sentence, { where: { domid, devid } });
  if (type === 'pv') {
    if (inventory.usbback) return undefined;
    const sentence = `The kernel driver usbback, which would serve controller ${devid} of domain ${domid}, is not loaded.`;
    return problem('no-usbback', sentence);
  }
  const domain = domainAt(inventory, domid);
  if (type === 'devicemodel' && domain?.type !== 'hvm') {
    const sentence = `Domain ${domid} is no HVM guest, so nothing can emulate a USB controller for it.`;
    return problem('unsupported-type', sentence);
  }
  const model = domain?.deviceModel;
  if (!model?.running || (type === 'qusb' && !model.qusb)) {
    const lacks = model?.running
      ? 'a device model (QEMU) that serves PVUSB'
      : 'a running device model (QEMU)';
    const sentence = `Domain ${domid} does not have ${lacks}, which a controller of type ${type} needs.`;
    return problem('no-device-model', sentence);
  }
  const answer = qemuOf(inventory, domid);
  const { health = 'silent', why = 'it was not asked', code = 'qemu-unreachable' } = answer ?? {};
  if (health === 'dead') return deadError(domid, { domid, devid });
  // A qusb controller is served through xenstore, and what becomes of it is seen in sysfs too.
  if (health === 'alive' || type === 'qusb') return undefined;
  return problem(code, `The QEMU of domain ${domid} cannot be asked: ${why}.`);
}

/** Mbit/s of the fastest device that a USB 1.1 bus takes, and of the slowest that is high-speed. */
const FULL_SPEED = 12;
const HIGH_SPEED = 480;

/**
 * Why a controller cannot have a device of this speed; undefined when it can. What QEMU refuses without telling
 * anybody (`hw/usb/xen-usb.c`: "wrong speed"), or with (an EHCI alone takes high-speed devices only).
 */
export function speedProblem(
  { type, version }: { readonly type: Controller['type']; readonly version: number },
  { speedMbps }: Pick<UsbDevice, 'speedMbps'>,
): 'too fast' | 'too slow' | undefined {
  if (speedMbps === 0) return undefined;
  if (type === 'qusb' && version === 1 && speedMbps > FULL_SPEED) return 'too fast';
  if (type === 'devicemodel' && version === 2 && speedMbps < HIGH_SPEED) return 'too slow';
  return undefined;
}
