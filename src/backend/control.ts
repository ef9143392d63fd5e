/** Control requests: what the host controller does itself, what the device gets, what it does not get. Pure. */
import {
  type ActiveConfiguration,
  DescriptorType,
  type DeviceDescriptors,
  Feature,
  type Setup,
  StandardRequest,
} from '../usb/index.js';
import { UsbifStatus } from '../usbif/index.js';
import { type FirewallRule, stallReason } from './firewall.js';

/** What a decision is based on. */
interface ControlView {
  /** The address that the guest gave to the device; 0 before. */
  readonly address: number;
  /** The address that the request was sent to: that one, or 0. */
  readonly sentTo: number;
  /** As the guest sees them. */
  readonly descriptors: DeviceDescriptors;
  /** The BOS descriptor as the guest sees it, where it is not the device's own. */
  readonly bos: Uint8Array | undefined;
  readonly active: ActiveConfiguration;
  /** What the host has the device in, and whether a setting was chosen since: the guest can see another one. */
  readonly hostConfiguration: number;
  readonly isHostTouched: boolean;
  readonly rules: readonly FirewallRule[];
}

/** What is done with a control request. */
export type ControlAction =
  | { readonly do: 'pass' | 'refuse' | 'reset' | 'accept' }
  | { readonly do: 'stall'; readonly reason: string | undefined }
  | { readonly do: 'reply'; readonly bytes: Uint8Array }
  | { readonly do: 'address'; readonly address: number }
  | { readonly do: 'configure'; readonly value: number; readonly onHost: boolean }
  | { readonly do: 'select'; readonly interface: number; readonly setting: number }
  | { readonly do: 'clear-halt'; readonly endpoint: number };

/** What a guest is told when the device is not asked. */
export const WITHOUT_DEVICE = {
  refuse: UsbifStatus.invalid,
  stall: UsbifStatus.stall,
  accept: UsbifStatus.ok,
} as const;

const STALL: ControlAction = { do: 'stall', reason: undefined };

/** Decides what is done with a control request. */
export function decideControl(view: ControlView, setup: Setup): ControlAction {
  // Nothing on this wire tells of a reset, except that an addressed device is spoken to at address 0 again.
  if (view.sentTo === 0 && view.address !== 0) return { do: 'reset' };
  const { descriptors, active } = view;
  const isStandard = setup.kind === 'standard';
  // 0x00 and 5, nothing else: other types of request have numbers of their own (0xC0 5 is a modem's status).
  if (setup.requestType === 0 && setup.request === StandardRequest.setAddress) {
    return setup.value > 127 ? STALL : { do: 'address', address: setup.value };
  }
  if (setup.requestType === 0x80 && setup.request === StandardRequest.getDescriptor) {
    const known = knownDescriptor(view, setup);
    if (known !== 'unknown') return known ? { do: 'reply', bytes: known.subarray(0, setup.length) } : STALL;
  }
  if (view.sentTo === 0) return { do: 'refuse' };

  const { vendor, product, configurations } = descriptors;
  const possible = configurations.flatMap(({ settings }) => settings);
  const aim = { vendor, product, interfaces: active.interfaces, possible };
  const reason = stallReason(view.rules, aim, setup);
  if (reason !== undefined) return { do: 'stall', reason };
  return isStandard ? decideStandard(view, setup) : { do: 'pass' };
}

function decideStandard(view: ControlView, setup: Setup): ControlAction {
  const { active } = view;
  const { recipient, request, value, index, input } = setup;
  if (recipient === 'device' && request === StandardRequest.setConfiguration && !input) {
    const wanted = value & 0xff;
    if (wanted !== 0 && !active.hasConfiguration(wanted)) return STALL;
    const isThere = wanted === 0 || (view.hostConfiguration === wanted && !view.isHostTouched);
    return { do: 'configure', value: wanted, onHost: !isThere };
  }
  if (recipient === 'device' && request === StandardRequest.getConfiguration && input) {
    return { do: 'reply', bytes: Uint8Array.of(active.value).subarray(0, setup.length) };
  }
  if (recipient === 'interface' && request === StandardRequest.setInterface && !input) {
    if (!active.hasSetting(index & 0xff, value & 0xff)) return STALL;
    return { do: 'select', interface: index & 0xff, setting: value & 0xff };
  }
  if (recipient === 'interface' && request === StandardRequest.getInterface && input) {
    const setting = active.settings.get(index & 0xff);
    return setting === undefined
      ? STALL
      : { do: 'reply', bytes: Uint8Array.of(setting).subarray(0, setup.length) };
  }
  if (
    recipient === 'endpoint' &&
    request === StandardRequest.clearFeature &&
    value === Feature.endpointHalt &&
    !input
  ) {
    const endpoint = index & 0x8f;
    if ((endpoint & 0xf) === 0) return { do: 'accept' };
    return active.endpoint(endpoint) ? { do: 'clear-halt', endpoint } : STALL;
  }
  return { do: 'pass' };
}

/** A descriptor that was read when the device was opened, so that it cannot change; `unknown`: ask the device. */
function knownDescriptor(
  { descriptors, bos }: ControlView,
  { value }: Setup,
): Uint8Array | undefined | 'unknown' {
  const index = value & 0xff;
  switch (value >> 8) {
    case DescriptorType.device:
      return descriptors.bytes;
    case DescriptorType.configuration:
      return descriptors.configurations[index]?.bytes;
    case DescriptorType.bos:
      return bos ?? 'unknown';
    default:
      return 'unknown';
  }
}
