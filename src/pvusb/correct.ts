/**
 * Keeps the addresses in saved configurations true. libxl names a device by bus and address, which change at every
 * replug and host reboot: a file that is not corrected gives the guest another device at its next start.
 */
import { commit } from './commit.js';
import { toPvusbError } from './failure.js';
import { isAlive } from './find.js';
import type { CallOptions, Host } from './host.js';
import type { Inventory } from './model.js';
import type { KnownDevice } from './plan.js';
import { knownDevices, readSaved, telling } from './saved.js';

/** An address that a saved configuration has now. */
export interface Corrected {
  readonly domid: number;
  readonly busid: string;
  readonly hostbus: number;
  readonly hostaddr: number;
}

/** What was seen of attached devices last, so that files are read only when an address may have changed. */
export class Addresses {
  #seen = new Map<string, string>();

  /** The domains with a device that has another address than it had, or was not seen before. */
  see(inventory: Inventory): number[] {
    const now = new Map<string, string>();
    const changed = new Set<number>();
    for (const { domid } of inventory.domains) {
      if (!isAlive(inventory, domid)) continue;
      for (const { path, device } of knownDevices(inventory, domid)) {
        const address = `${device.hostbus}.${device.hostaddr}`;
        now.set(path, address);
        if (this.#seen.get(path) !== address) changed.add(domid);
      }
    }
    this.#seen = now;
    return [...changed];
  }

  /** Looks at a domain again: its file could not be corrected. */
  forget(domid: number): void {
    for (const path of this.#seen.keys()) {
      if (path.includes(`/${domid}/`)) this.#seen.delete(path);
    }
  }
}

/**
 * Corrects what a domain's saved configuration says of its devices; gives what was changed. Entries that name no device
 * are removed. Of a domain that libxl did not build nothing is to be corrected.
 *
 * @throws {PvusbError} `config-locked`, `config-denied`, `config-unusable`, or one of the host's
 */
export async function correctAddresses(
  host: Host,
  inventory: Inventory,
  domid: number,
  call: CallOptions = {},
): Promise<Corrected[]> {
  try {
    const domains = inventory.domains.filter((domain) => domain.domid === domid);
    const [saved] = await readSaved(host, domains, call);
    if (!saved || saved.problem !== undefined) return [];
    const isWrong = ({ device }: KnownDevice): boolean =>
      !saved.devices.some(
        ({ ctrl, port, hostbus, hostaddr }) =>
          ctrl === device.ctrl &&
          port === device.port &&
          hostbus === device.hostbus &&
          hostaddr === device.hostaddr,
      );
    const wrong = knownDevices(inventory, domid).filter(isWrong);
    // As libxl 4.17 saves an entry of usbdev= that does not say type=hostdev: with it the guest is lost at its next reboot.
    const nameless = saved.devices.filter(({ hostbus }) => hostbus === undefined);
    if (wrong.length + nameless.length === 0) return [];
    const removals = nameless.map(({ ctrl, port }) => ({ edit: 'remove-device', ctrl, port }) as const);
    const { config } = telling(inventory, domid, []);
    if (!config) return [];
    const change = { ...config, edits: removals };
    const action = { do: 'commit', expect: [], edits: [], config: change } as const;
    await commit(host, action, call.signal);
    return wrong.map(({ busid, device: { hostbus = 0, hostaddr = 0 } }) => {
      return { domid, busid, hostbus, hostaddr };
    });
  } catch (error) {
    const doing = `correcting the saved configuration of domain ${domid}`;
    throw toPvusbError(error, { doing, where: { domid }, signal: call.signal });
  }
}
