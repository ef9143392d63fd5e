/** What a scan reads of a device only when it is asked to. */
import { type Busid, busidAtPort, hubOf, type InterfaceId, portOf } from './busid.js';
import type { UsbDevice } from './device.js';
import type { SysfsFiles } from './files.js';
import { parseDecimal, unescapeText } from './text.js';

const DEVICES = 'bus/usb/devices';

/** Longest descriptors kept, in bytes: far more than any device has. */
const DESCRIPTORS_MAX = 65_536;

/** What the kernel says about a socket (`port.c: connect_type_show`). */
const CONNECT_TYPES = ['hotplug', 'hardwired', 'not used', 'unknown'];

/** What is known of a device beyond a usual scan. Whatever cannot be read is left out. */
export async function readDetails(
  files: SysfsFiles,
  device: UsbDevice,
  hubInterface: InterfaceId | undefined,
): Promise<Pick<UsbDevice, 'sockets' | 'peer' | 'connectType' | 'descriptors' | 'hash'>> {
  const { busid, kind } = device;
  const port = hubInterface && `${DEVICES}/${hubInterface}/${portName(busid)}`;
  const [maxChild, peer, connectType, descriptors] = await Promise.all([
    kind === 'device' ? undefined : files.readText(`${DEVICES}/${busid}/maxchild`).catch(nothing),
    port && files.readLink(`${port}/peer`).catch(nothing),
    port && files.readText(`${port}/connect_type`).catch(nothing),
    files.readBytes(`${DEVICES}/${busid}/descriptors`).catch(nothing),
  ]);
  const other = peer && busidAtPort(peer.slice(peer.lastIndexOf('/') + 1));
  const sockets = parseDecimal(maxChild) ?? 0;
  const type = connectType?.trim();
  const isKnown = descriptors !== undefined && descriptors.length <= DESCRIPTORS_MAX;
  return {
    ...(sockets === 0 ? {} : { sockets }),
    ...(other ? { peer: other } : {}),
    ...(type !== undefined && CONNECT_TYPES.includes(type) ? { connectType: type } : {}),
    ...(isKnown ? { descriptors: Buffer.from(descriptors).toString('base64') } : {}),
    ...(isKnown ? { hash: hashOf(device, descriptors) } : {}),
  };
}

/** A device never changes: a host that is followed is asked for the same ones again and again. */
const USUAL = new WeakMap<UsbDevice, UsbDevice>();

/** A device as a usual scan has it. */
export function withoutDetails(device: UsbDevice): UsbDevice {
  const known = USUAL.get(device);
  if (known) return known;
  const {
    sockets: _sockets,
    peer: _peer,
    connectType: _connectType,
    descriptors: _descriptors,
    hash: _hash,
    ...usual
  } = device;
  USUAL.set(device, usual);
  return usual;
}

function nothing(): undefined {
  return undefined;
}

/** The name of the port that a device is plugged into: `3-1-port5`, `usb3-port1`. */
function portName(busid: Busid): string {
  return `${hubOf(busid)}-port${portOf(busid)}`;
}

/**
 * The hash that USBGuard computes (`usbguard generate-policy`): SHA-256 over name, ids, serial number and all
 * descriptors. The kernel's version number is not part of a root hub's.
 */
function hashOf(device: UsbDevice, untrustedDescriptors: Uint8Array): string {
  const { vendorId, productId, product, serial } = device;
  const descriptors = Uint8Array.from(untrustedDescriptors);
  const isRootHub = vendorId === '1d6b' && /^000[123]$/.test(productId);
  // bcdDevice.
  if (isRootHub && descriptors.length >= 14) descriptors.fill(0, 12, 14);
  // Loaded when it is first used: a list, which needs no hash, is a twentieth faster without.
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256');
  for (const text of [own(product), vendorId, productId, own(serial)]) hash.update(text);
  return hash.update(descriptors).digest('base64');
}

/** A device's text as USBGuard reads it: what a careless device puts after it is cut off. */
function own(text: string | undefined): string {
  return unescapeText(text ?? '').replace(/[\0\n\r\t\b]+$/, '');
}
