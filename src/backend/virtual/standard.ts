/** The standard requests that a device answers itself (USB 2.0, chapter 9.4). */
import {
  type ActiveConfiguration,
  DEVICE_BYTES,
  DescriptorType,
  deviceQualifier,
  Feature,
  type Setup,
  StandardRequest,
} from '../../usb/index.js';
import type { Stall, VirtualFunction } from './function.js';

const ENGLISH = 0x0409;

/** What a device answers to a standard request; undefined when it is not one, or not for the device to know. */
export function standardRequest(
  setup: Setup,
  inside: VirtualFunction,
  active: ActiveConfiguration,
  halted: Set<number>,
): Uint8Array | Stall | undefined {
  if (setup.kind !== 'standard') return undefined;
  const endpoint = setup.index & 0x8f;
  const isEndpoint = setup.recipient === 'endpoint';
  switch (setup.request) {
    case StandardRequest.getDescriptor:
      return setup.recipient === 'device' ? descriptor(setup, inside) : undefined;
    case StandardRequest.getStatus:
      return Uint8Array.of(isEndpoint && halted.has(endpoint) ? 1 : 0, 0);
    case StandardRequest.getConfiguration:
      return Uint8Array.of(active.value);
    case StandardRequest.setFeature:
      if (!isEndpoint || setup.value !== Feature.endpointHalt) return 'stall';
      if (!active.endpoint(endpoint)) return 'stall';
      halted.add(endpoint);
      return new Uint8Array(0);
    default:
      return 'stall';
  }
}

function descriptor({ value }: Setup, { speed, descriptors, strings }: VirtualFunction): Uint8Array | Stall {
  const index = value & 0xff;
  switch (value >> 8) {
    case DescriptorType.device:
      return descriptors.subarray(0, DEVICE_BYTES);
    case DescriptorType.configuration:
      return index === 0 ? descriptors.subarray(DEVICE_BYTES) : 'stall';
    case DescriptorType.string: {
      const text = index === 0 ? String.fromCharCode(ENGLISH) : strings[index - 1];
      if (text === undefined) return 'stall';
      const body = Buffer.from(text.slice(0, 126), 'utf16le');
      return Buffer.concat([Buffer.from([body.length + 2, DescriptorType.string]), body]);
    }
    case DescriptorType.deviceQualifier:
      return speed === 'high' ? deviceQualifier(descriptors) : 'stall';
    default:
      return 'stall';
  }
}
