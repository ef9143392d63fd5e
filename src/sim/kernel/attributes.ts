/** The attributes of devices and interfaces, as sysfs prints them (`drivers/usb/core/sysfs.c`): with a newline. */
import { busOf, portPathOf } from './names.js';
import type { PluggedDevice, PluggedInterface } from './spec.js';

/** What each attribute says about a thing. A string that a device does not have has no attribute. */
type Attributes<Thing> = Readonly<Record<string, (of: Thing) => string | number | undefined>>;

/** The attributes of a device. */
export const DEVICE_ATTRIBUTES: Attributes<PluggedDevice> = {
  authorized: ({ spec }) => Number(spec.authorized ?? true),
  // Empty while it is not configured (`sysfs.c: bConfigurationValue_show`).
  bConfigurationValue: ({ spec }) => (spec.configuration === null ? '' : (spec.configuration ?? 1)),
  bDeviceClass: ({ spec }) => spec.deviceClass,
  bDeviceProtocol: ({ spec }) => spec.deviceProtocol ?? '00',
  bDeviceSubClass: ({ spec }) => spec.deviceSubClass ?? '00',
  bNumInterfaces: ({ spec }) => String(spec.interfaces.length).padStart(2),
  bcdDevice: ({ spec }) => spec.bcdDevice ?? '0000',
  busnum: ({ busid, spec }) => spec.bus ?? busOf(busid),
  devnum: ({ address }) => address,
  devpath: ({ busid }) => portPathOf(busid),
  idProduct: ({ spec }) => spec.productId,
  idVendor: ({ spec }) => spec.vendorId,
  manufacturer: ({ spec }) => spec.manufacturer,
  maxchild: ({ spec }) => spec.maxChild ?? 0,
  product: ({ spec }) => spec.product,
  serial: ({ spec }) => spec.serial,
  speed: ({ spec }) => spec.speedMbps || 'unknown',
  version: ({ spec }) => (spec.version ?? versionOfSpeed(spec.speedMbps)).padStart(5),
};

/** The attributes of an interface. */
export const INTERFACE_ATTRIBUTES: Attributes<PluggedInterface> = {
  authorized: ({ authorized }) => Number(authorized),
  bInterfaceClass: ({ classes }) => classes.split('/')[0],
  bInterfaceNumber: ({ number }) => number.toString(16).padStart(2, '0'),
  bInterfaceProtocol: ({ classes }) => classes.split('/')[2],
  bInterfaceSubClass: ({ classes }) => classes.split('/')[1],
};

/** Those that a thing has, by name. */
export function attributeTexts<Thing>(attributes: Attributes<Thing>, of: Thing): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const name of Object.keys(attributes)) {
    const text = attributeText(attributes, of, name);
    if (text !== undefined) texts[name] = text;
  }
  return texts;
}

/** What one of them reads; undefined when the thing does not have it. */
export function attributeText<Thing>(
  attributes: Attributes<Thing>,
  of: Thing,
  name: string,
): string | undefined {
  const text = Object.hasOwn(attributes, name) ? attributes[name]!(of) : undefined;
  return text === undefined ? undefined : `${text}\n`;
}

function versionOfSpeed(mbps: number): string {
  if (mbps >= 10000) return '3.10';
  if (mbps >= 5000) return '3.00';
  return mbps >= 480 ? '2.00' : '1.10';
}
