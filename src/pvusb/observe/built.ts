/** Whether a domain that is being created is ready for its devices. */
import { type DomainFiles, isLibxlError } from '../../libxl/index.js';
import { isPvusbError, PvusbError } from '../model/errors.js';
import type { Domain } from '../model/inventory.js';
import { labelDomain } from '../model/wording.js';
import type { CallOptions, Host } from './host.js';
import { readConfig } from './saved-config.js';

/** How long a domain without a saved configuration may still be under construction; after that libxl did not build it. */
export const MAKING_MS = 30_000;

/** Domain 0 has a file on every host of libxl's (xen-init-dom0). */
const DOMAIN_0: DomainFiles = { domid: 0, uuid: '00000000-0000-0000-0000-000000000000' };

/**
 * Whether libxl has written the domain's saved configuration. That is the last thing it does: adding a controller or a
 * device before then makes libxl's own attempt fail, and libxl destroys the guest (libxl_create.c: domcreate_complete).
 * Also true where there are no such files to look at: then the host does not use libxl.
 */
export async function isBuilt(
  host: Host,
  { domid, uuid }: Domain,
  options: CallOptions = {},
): Promise<boolean> {
  if (!host.userdata || uuid === undefined) return true;
  const hasFile = async (of: DomainFiles): Promise<boolean> =>
    (await readConfig(host, of, options)) !== undefined;
  try {
    return (await hasFile({ domid, uuid })) || !(await hasFile(DOMAIN_0));
  } catch (error) {
    if (!isLibxlError(error)) throw error;
    // Locked: another program is at work on it. Anything else: it exists, but is of no use.
    return error.code !== 'timeout';
  }
}

/**
 * Lets a domain through that {@link isBuilt}: libxl destroys a guest whose devices it finds taken while it still builds
 * it.
 *
 * @throws {PvusbError} `conflict`
 */
export async function requireBuilt(host: Host, domain: Domain, options: CallOptions = {}): Promise<void> {
  if (await isBuilt(host, domain, options)) return;
  const sentence = `${labelDomain(domain, 'Domain')} is being created by its toolstack.`;
  throw new PvusbError('conflict', sentence, { where: { domid: domain.domid } });
}

/** True for errors that mean that a domain under construction is not ready, and for those that pass by themselves. */
export function isNotYet(error: unknown): boolean {
  if (!isPvusbError(error)) return false;
  return (error.group === 'moment' && error.code !== 'aborted') || isPvusbError(error, ...NOT_YET);
}

const NOT_YET = [
  'no-device-model',
  'no-such-controller',
  'no-such-domain',
  'no-usbback',
  'not-opened',
  'state-timeout',
  'qemu-dead',
  'qemu-timeout',
  'qemu-unreachable',
] as const;
