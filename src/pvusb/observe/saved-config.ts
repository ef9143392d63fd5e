/** Reads what libxl stores about domains. */

import { isLibxlError } from '../../libxl/errors.js';
import type { SavedConfig } from '../../libxl/saved-config.js';
import type { DomainFiles } from '../../libxl/userdata.js';
import type { Domain, SavedSettings } from '../model/inventory.js';
import type { CallOptions, Host } from './host.js';

/**
 * What libxl stores about a domain; undefined when there is nothing.
 *
 * @throws {LibxlError} of the lock and of the file
 */
export async function readConfig(
  { userdata, clock }: Pick<Host, 'userdata' | 'clock'>,
  of: DomainFiles,
  call: CallOptions,
): Promise<SavedConfig | undefined> {
  return userdata?.withLock(of, { ...call, clock }, (held) => held.read());
}

/** What libxl stores about the living domains: nothing for those that it did not build. */
export async function readSaved(
  host: Host,
  domains: readonly Domain[],
  call: CallOptions,
): Promise<SavedSettings[]> {
  if (!host.userdata) return [];
  const settings: SavedSettings[] = [];
  for (const { domid, uuid, alive } of domains) {
    if (!alive || uuid === undefined) continue;
    const of = { domid, uuid };
    try {
      const config = await readConfig(host, of, call);
      if (config) settings.push({ ...of, controllers: config.controllers, devices: config.devices });
    } catch (error) {
      if (!isLibxlError(error)) throw error;
      const problem = error.message.replace(/\.$/, '');
      settings.push({ ...of, controllers: [], devices: [], problem });
    }
  }
  return settings;
}

/** True for problems with the file itself, which waiting would not solve. */
export function isUnusable(error: unknown): boolean {
  return isLibxlError(error) && !isLibxlError(error, 'timeout');
}
