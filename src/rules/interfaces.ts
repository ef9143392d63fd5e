/** The interfaces that a device has, or could have. */
import type { UsbDevice } from '../sysfs/device.js';

/** `bDescriptorType` of an interface; where its class, subclass and protocol are (USB 2.0, table 9-12). */
const INTERFACE = 4;
const CLASSES_AT = 5;
const CLASSES_END = 8;

/**
 * The classes of all interfaces that a device describes, `08/06/50`: those of every alternate setting and every
 * configuration, if its descriptors are known, and those that it has now. Whoever has the device can switch it over, so
 * a rule that only looks at what is switched on would give away a keyboard that hides.
 */
export function classesOf({ interfaces, descriptors }: UsbDevice): ReadonlySet<string> {
  const classes = new Set(interfaces.map((one) => one.classes));
  if (descriptors === undefined) return classes;
  const bytes = Buffer.from(descriptors, 'base64');
  // A length that makes no sense ends it: nothing behind it can be found.
  for (let at = 0; at + 2 <= bytes.length; ) {
    const length = bytes[at]!;
    if (length < 2 || at + length > bytes.length) break;
    if (bytes[at + 1] === INTERFACE && length >= CLASSES_END) {
      const hex = bytes.subarray(at + CLASSES_AT, at + CLASSES_END).toString('hex');
      classes.add(`${hex.slice(0, 2)}/${hex.slice(2, 4)}/${hex.slice(4)}`);
    }
    at += length;
  }
  return classes;
}
