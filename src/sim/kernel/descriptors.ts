/** A device's descriptors as the kernel read them (`sysfs.c: read_descriptors`): USB 2.0, chapter 9.6. */
import type { PluggedDevice } from './spec.js';

/** `bDescriptorType`. */
const DEVICE = 1;
const CONFIGURATION = 2;
const INTERFACE = 4;

/** The bytes of the file `descriptors`: those that the device was given, or the least that fits what it is. */
export function descriptorsOf({ spec }: PluggedDevice): Uint8Array {
  if (spec.descriptors !== undefined) return Buffer.from(spec.descriptors, 'base64');
  const configuration = Buffer.concat([
    Buffer.from([9, CONFIGURATION, 0, 0, spec.interfaces.length, spec.configuration ?? 1, 0, 0x80, 50]),
    ...spec.interfaces.map(({ number, classes }) =>
      Buffer.from([9, INTERFACE, number, 0, 0, ...hexBytes(classes.replaceAll('/', '')), 0]),
    ),
  ]);
  configuration.writeUInt16LE(configuration.length, 2);
  return Buffer.concat([deviceDescriptor(spec), configuration]);
}

function deviceDescriptor(spec: PluggedDevice['spec']): Buffer {
  const device = Buffer.alloc(18);
  device.set([18, DEVICE, 0, spec.speedMbps >= 5000 ? 3 : 2]);
  const { deviceClass, deviceSubClass = '00', deviceProtocol = '00' } = spec;
  device.set([...hexBytes(deviceClass + deviceSubClass + deviceProtocol), 64], 4);
  device.writeUInt16LE(Number.parseInt(spec.vendorId, 16), 8);
  device.writeUInt16LE(Number.parseInt(spec.productId, 16), 10);
  device.writeUInt16LE(Number.parseInt(spec.bcdDevice ?? '0000', 16), 12);
  device.writeUInt8(1, 17);
  return device;
}

function hexBytes(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}
