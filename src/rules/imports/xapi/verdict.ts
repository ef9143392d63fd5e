/** What XAPI says about a device. */
import type { UsbDevice } from '../../../sysfs/device.js';
import type { Key, Policy, PolicyLine } from './parse.js';

/** What XAPI says about a device, and because of which line. */
type PolicyVerdict =
  | { readonly isAllowed: true }
  /** `line`: the one that denies; undefined when none is about one of its interfaces. */
  | { readonly isAllowed: false; readonly why: 'denied'; readonly line: number | undefined }
  /** XAPI does not even look at hubs, at what has an interface of a hub, and at what is not configured. */
  | { readonly isAllowed: false; readonly why: 'not-offered' };

/** Where `bcdDevice` is in the descriptor of a device (USB 2.0, table 9-8). */
const RELEASE_AT = 12;

/**
 * Whether VMs may have a device: each of its interfaces has to be allowed by the first policy that is about it. `rel` is
 * compared if the device's descriptors are known; otherwise a policy with it denies and does not allow.
 */
export function policyVerdict(lines: readonly PolicyLine[], device: UsbDevice): PolicyVerdict {
  if (device.kind !== 'device' || device.interfaces.length === 0)
    return { isAllowed: false, why: 'not-offered' };
  for (const { classes } of device.interfaces) {
    const first = lines.find(({ policy }) => policy && isAbout(policy, device, classes));
    if (!first?.policy?.isAllowed) return { isAllowed: false, why: 'denied', line: first?.line };
  }
  return { isAllowed: true };
}

function isAbout({ values, isAllowed }: Policy, device: UsbDevice, classes: string): boolean {
  const [kind, subclass, protocol] = classes.split('/');
  const own: Readonly<Record<Key, string | undefined>> = {
    class: kind,
    subclass,
    prot: protocol,
    vid: device.vendorId,
    pid: device.productId,
    rel: releaseOf(device),
  };
  return [...values].every(([key, value]) => (own[key] === undefined ? !isAllowed : own[key] === value));
}

function releaseOf({ descriptors }: UsbDevice): string | undefined {
  const bytes = Buffer.from(descriptors ?? '', 'base64');
  if (bytes.length < RELEASE_AT + 2) return undefined;
  return bytes.readUInt16LE(RELEASE_AT).toString(16).padStart(4, '0');
}
