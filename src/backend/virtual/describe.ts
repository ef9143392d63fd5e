/** Descriptors of virtual devices, put together. Pure. */
import { DescriptorType, type EndpointKind, EndpointType } from '../../usb/index.js';

/** An endpoint that a virtual device has. */
export interface EndpointSpec {
  readonly address: number;
  readonly kind: EndpointKind;
  readonly packetBytes: number;
  /** `bInterval`; 0 when absent. */
  readonly interval?: number;
}

/** A setting of an interface that it has. */
interface SettingSpec {
  readonly interface: number;
  readonly setting?: number;
  readonly class: number;
  readonly subClass: number;
  readonly protocol: number;
  /** What belongs to its class, between it and its endpoints. */
  readonly extra?: Uint8Array;
  readonly endpoints: readonly EndpointSpec[];
}

/** A device with one configuration. */
interface DeviceSpec {
  readonly vendor: number;
  readonly product: number;
  readonly version: number;
  /** How many of its strings there are: manufacturer, product, serial number, in this order. */
  readonly stringCount: number;
  readonly configuration: number;
  readonly settings: readonly SettingSpec[];
}

/** The bytes of a device's descriptors. */
export function describe({
  vendor,
  product,
  version,
  stringCount,
  configuration,
  settings,
}: DeviceSpec): Uint8Array {
  const named = [1, 2, 3].map((index) => (index <= stringCount ? index : 0));
  const device = Buffer.from([18, DescriptorType.device, 0, 2, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, ...named, 1]);
  device.writeUInt16LE(vendor, 8);
  device.writeUInt16LE(product, 10);
  device.writeUInt16LE(version, 12);
  const interfaces = new Set(settings.map((one) => one.interface)).size;
  const head = Buffer.from([9, DescriptorType.configuration, 0, 0, interfaces, configuration, 0, 0x80, 50]);
  const whole = Buffer.concat([head, ...settings.map(settingBytes)]);
  whole.writeUInt16LE(whole.length, 2);
  return Buffer.concat([device, whole]);
}

function settingBytes(spec: SettingSpec): Buffer {
  const { endpoints, extra = new Uint8Array(0) } = spec;
  const classes = [spec.class, spec.subClass, spec.protocol];
  const head = [
    9,
    DescriptorType.interface,
    spec.interface,
    spec.setting ?? 0,
    endpoints.length,
    ...classes,
    0,
  ];
  return Buffer.concat([
    Buffer.from(head),
    extra,
    ...endpoints.map(({ address, kind, packetBytes, interval = 0 }) =>
      Buffer.from([
        7,
        DescriptorType.endpoint,
        address,
        EndpointType[kind],
        packetBytes & 0xff,
        packetBytes >> 8,
        interval,
      ]),
    ),
  ]);
}
