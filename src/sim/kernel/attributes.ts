/** The attributes of devices and interfaces, as sysfs prints them (`drivers/usb/core/sysfs.c`): with a newline. */
import { busOf, portPathOf } from './names.js';
import type { PluggedDevice, PluggedInterface } from './spec.js';

/** The attributes of a device. A string the device does not have has no attribute. */
export function deviceAttributes({ busid, spec, address }: PluggedDevice): Readonly<Record<string, string>> {
  const texts: Record<string, string | number | undefined> = {
    authorized: 1,
    bConfigurationValue: spec.configuration ?? 1,
    bDeviceClass: spec.deviceClass,
    bDeviceProtocol: spec.deviceProtocol ?? '00',
    bDeviceSubClass: spec.deviceSubClass ?? '00',
    bNumInterfaces: String(spec.interfaces.length).padStart(2),
    bcdDevice: spec.bcdDevice ?? '0000',
    busnum: busOf(busid),
    devnum: address,
    devpath: portPathOf(busid),
    idProduct: spec.productId,
    idVendor: spec.vendorId,
    manufacturer: spec.manufacturer,
    maxchild: spec.maxChild ?? 0,
    product: spec.product,
    serial: spec.serial,
    speed: spec.speedMbps,
    version: (spec.version ?? versionOfSpeed(spec.speedMbps)).padStart(5),
  };
  return withNewlines(texts);
}

/** The attributes of an interface. */
export function interfaceAttributes(intf: PluggedInterface): Readonly<Record<string, string>> {
  const [code, subclass, protocol] = intf.classes.split('/');
  return withNewlines({
    authorized: 1,
    bInterfaceClass: code,
    bInterfaceNumber: intf.number.toString(16).padStart(2, '0'),
    bInterfaceProtocol: protocol,
    bInterfaceSubClass: subclass,
  });
}

function withNewlines(texts: Readonly<Record<string, string | number | undefined>>): Record<string, string> {
  const lines: Record<string, string> = {};
  for (const [name, text] of Object.entries(texts)) if (text !== undefined) lines[name] = `${text}\n`;
  return lines;
}

function versionOfSpeed(mbps: number): string {
  if (mbps >= 10000) return '3.10';
  if (mbps >= 5000) return '3.00';
  return mbps >= 480 ? '2.00' : '1.10';
}
