/** USB descriptors, parsed from bytes that a device chose (USB 2.0 chapter 9.6, USB 3.2 chapter 9.6). Pure. */

/** `bDescriptorType`. */
export const DescriptorType = {
  device: 1,
  configuration: 2,
  string: 3,
  interface: 4,
  endpoint: 5,
  deviceQualifier: 6,
  bos: 15,
  deviceCapability: 16,
  superSpeedCompanion: 0x30,
  isochronousCompanion: 0x31,
} as const;

/** `bmAttributes` of an endpoint, its low two bits. Not the order that usbif uses. */
export const EndpointType = { control: 0, isochronous: 1, bulk: 2, interrupt: 3 } as const;

/** The kind of an endpoint. */
export type EndpointKind = keyof typeof EndpointType;

/** Bytes of a device descriptor. */
export const DEVICE_BYTES = 18;

/** One endpoint of an alternate setting. */
export interface Endpoint {
  /** Its number and, in bit 7, its direction: `bEndpointAddress`. */
  readonly address: number;
  readonly kind: EndpointKind;
  /** The bytes of one packet, without the bits that tell of several in a microframe. */
  readonly packetBytes: number;
}

/** One alternate setting of an interface. */
export interface AlternateSetting {
  readonly interface: number;
  readonly setting: number;
  readonly class: number;
  readonly subClass: number;
  readonly protocol: number;
  readonly endpoints: readonly Endpoint[];
}

/** One configuration. */
export interface Configuration {
  /** `bConfigurationValue`, what SET_CONFIGURATION names. */
  readonly value: number;
  readonly settings: readonly AlternateSetting[];
  /** The bytes that it was parsed from. */
  readonly bytes: Uint8Array;
}

/** A device as its descriptors tell. */
export interface DeviceDescriptors {
  readonly vendor: number;
  readonly product: number;
  readonly class: number;
  /** The bytes of the device descriptor. */
  readonly bytes: Uint8Array;
  readonly configurations: readonly Configuration[];
}

/** One descriptor in a row of them: its type, and all of its bytes. */
interface RawDescriptor {
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** The descriptors in a row, up to the first that is not whole. */
export function* walk(untrusted: Uint8Array): Generator<RawDescriptor> {
  let at = 0;
  while (at + 2 <= untrusted.length) {
    const length = untrusted[at]!;
    if (length < 2 || at + length > untrusted.length) return;
    yield { type: untrusted[at + 1]!, bytes: untrusted.subarray(at, at + length) };
    at += length;
  }
}

/**
 * Parses a device descriptor and, right behind it, the configurations: what usbfs and sysfs give for a device. What
 * claims to be longer than it is, is cut; a configuration that is not there is left out.
 *
 * @returns undefined when there is no device descriptor
 */
export function parseDescriptors(untrusted: Uint8Array): DeviceDescriptors | undefined {
  const bytes = untrusted.slice(0, DEVICE_BYTES);
  if (bytes.length < DEVICE_BYTES || bytes[0] !== DEVICE_BYTES || bytes[1] !== DescriptorType.device) {
    return undefined;
  }
  const configurations: Configuration[] = [];
  let at = DEVICE_BYTES;
  while (configurations.length < bytes[17]! && at + 9 <= untrusted.length) {
    const total = untrusted[at + 2]! | (untrusted[at + 3]! << 8);
    const isOne = untrusted[at]! >= 9 && untrusted[at + 1] === DescriptorType.configuration && total >= 9;
    if (!isOne) break;
    configurations.push(parseConfiguration(untrusted.slice(at, at + total)));
    at += total;
  }
  return {
    vendor: bytes[8]! | (bytes[9]! << 8),
    product: bytes[10]! | (bytes[11]! << 8),
    class: bytes[4]!,
    bytes,
    configurations,
  };
}

/**
 * The device qualifier (USB 2.0, 9.6.2) that goes with a high-speed device's descriptor, of a device that has no
 * configurations at the other speed.
 */
export function deviceQualifier(device: Uint8Array): Uint8Array {
  return Uint8Array.of(10, DescriptorType.deviceQualifier, ...device.subarray(2, 8), 0, 0);
}

/** Parses one configuration with all that belongs to it. */
export function parseConfiguration(untrusted: Uint8Array): Configuration {
  const settings: AlternateSetting[] = [];
  let endpoints: Endpoint[] = [];
  for (const { type, bytes } of walk(untrusted)) {
    if (type === DescriptorType.interface && bytes.length >= 9) {
      endpoints = [];
      settings.push({
        interface: bytes[2]!,
        setting: bytes[3]!,
        class: bytes[5]!,
        subClass: bytes[6]!,
        protocol: bytes[7]!,
        endpoints,
      });
    }
    if (type === DescriptorType.endpoint && bytes.length >= 7) addEndpoint(endpoints, bytes);
  }
  return { value: untrusted[5] ?? 0, settings, bytes: untrusted };
}

const KINDS: readonly EndpointKind[] = ['control', 'isochronous', 'bulk', 'interrupt'];

function addEndpoint(endpoints: Endpoint[], bytes: Uint8Array): void {
  const address = bytes[2]! & 0x8f;
  // Endpoint 0 has no descriptor, and an address means one endpoint.
  if ((address & 0xf) === 0 || endpoints.some((known) => known.address === address)) return;
  const packetBytes = (bytes[4]! | (bytes[5]! << 8)) & 0x7ff;
  endpoints.push({ address, kind: KINDS[bytes[3]! & 3]!, packetBytes });
}
