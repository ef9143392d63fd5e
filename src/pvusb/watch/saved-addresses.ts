/**
 * Keeps the addresses in saved configurations true. libxl names a device by bus and address, which change at every
 * replug and host reboot: a file that is not corrected gives the guest another device at its next start.
 */

import { configDifference } from '../diagnose/saved-config.js';
import { commit } from '../execute/commit.js';
import { ConflictError, toPvusbError } from '../model/failure.js';
import { livingGuests } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import type { ConfigEdit } from '../model/plan.js';
import { knownDevices } from '../model/saved-config.js';
import type { CallOptions, Host } from '../observe/host.js';
import { readSaved } from '../observe/saved-config.js';

/** An address that a saved configuration has now. */
export interface Corrected {
  readonly domid: number;
  readonly busid: string;
  readonly hostbus: number;
  readonly hostaddr: number;
}

/** How long after its coming a domain may get its file: libxl writes it last of all. */
const FILE_WITHIN_MS = 120_000;

/** What was seen of domains and their devices last, so that files are read only when they may be wrong. */
export class Addresses {
  /** By port node. */
  #seen = new Map<string, string>();
  /** Since when domains are there, and whose file is to be looked at. */
  readonly #since = new Map<number, number>();
  readonly #open = new Set<number>();

  /** Some file has still to be looked at, or was not there yet. */
  get isWaiting(): boolean {
    return this.#open.size > 0;
  }

  /** The domains whose files are to be looked at: new ones, and those with a device that has another address than it had. */
  see(inventory: Inventory, nowMs: number): number[] {
    const domids = livingGuests(inventory).map(({ domid }) => domid);
    for (const domid of this.#since.keys()) {
      if (domids.includes(domid)) continue;
      this.#since.delete(domid);
      this.#open.delete(domid);
    }
    const now = new Map<string, string>();
    for (const domid of domids) {
      if (!this.#since.has(domid)) this.#open.add(domid);
      this.#since.set(domid, this.#since.get(domid) ?? nowMs);
      for (const { path, device } of knownDevices(inventory, domid)) {
        const address = `${device.hostbus}.${device.hostaddr}`;
        now.set(path, address);
        if (this.#seen.get(path) !== address) this.#open.add(domid);
      }
    }
    this.#seen = now;
    const due = [...this.#open];
    // Later there is a file, or there will be none.
    for (const domid of due) if (nowMs - this.#since.get(domid)! > FILE_WITHIN_MS) this.#open.delete(domid);
    return due;
  }

  /** A domain's file was there, and says what it should. */
  settle(domid: number): void {
    this.#open.delete(domid);
  }
}

/**
 * Corrects what a domain's saved configuration says of its devices; gives what was changed, or undefined when there is no
 * such file (yet), or something was changed meanwhile. Entries that name no device, or no port, are removed: as libxl
 * 4.17 saves some of `usbdev=`, and loses the guest of at its next reboot.
 *
 * @throws {PvusbError} `config-locked`, `config-denied`, `config-unusable`, or one of the host's
 */
export async function correctAddresses(
  host: Host,
  inventory: Inventory,
  domid: number,
  call: CallOptions = {},
): Promise<Corrected[] | undefined> {
  if (!host.userdata) return [];
  try {
    const domains = inventory.domains.filter((domain) => domain.domid === domid);
    const [saved] = await readSaved(host, domains, call);
    if (!saved) return undefined;
    if (saved.problem !== undefined) return [];
    const nameless = saved.devices.filter(
      ({ ctrl, port, hostbus }) => ctrl < 0 || port < 1 || hostbus === undefined,
    );
    const isWrong = (edit: ConfigEdit): boolean =>
      edit.edit === 'add-device' ||
      (edit.edit === 'remove-device' &&
        nameless.some(({ ctrl, port }) => ctrl === edit.ctrl && port === edit.port));
    const difference = configDifference(inventory, saved, isWrong);
    if (!difference) return [];
    const { uuid, edits, facts } = difference;
    await commit(
      host,
      { do: 'commit', expect: facts, edits: [], config: { domid, uuid, edits } },
      call.signal,
    );
    const known = knownDevices(inventory, domid);
    return edits.flatMap((edit) => {
      if (edit.edit !== 'add-device') return [];
      const { ctrl, port, hostbus = 0, hostaddr = 0 } = edit.device;
      const busid = known.find(({ device }) => device.ctrl === ctrl && device.port === port)?.busid;
      return busid === undefined ? [] : { domid, busid, hostbus, hostaddr };
    });
  } catch (error) {
    if (error instanceof ConflictError) return undefined;
    const doing = `correcting the saved configuration of domain ${domid}`;
    throw toPvusbError(error, { doing, where: { domid }, signal: call.signal });
  }
}
