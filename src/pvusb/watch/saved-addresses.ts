/** The duty that keeps the addresses in saved configurations correct. */
import { domainAt, livingGuests } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import { knownDevices } from '../model/saved-config.js';
import { correctAddresses } from '../verbs/addresses.js';
import type { Duty, DutyContext } from './duty.js';
import type { Look } from './monitor.js';

/** The pause between two looks for a file that libxl has not written yet. */
const FILE_RETRY_MS = 3_000;

/** How long after it appears a domain may get its file: libxl writes it last of all. */
const FILE_WITHIN_MS = 120_000;

/** What was last seen of domains and their devices, so that files are read only when they may be wrong. */
class AddressesSeen {
  /** By port node. */
  #seen = new Map<string, string>();
  /** Since when domains have been there, and whose file is to be checked. */
  readonly #since = new Map<number, number>();
  readonly #open = new Set<number>();

  /** Some file still has to be checked, or did not exist yet. */
  get isWaiting(): boolean {
    return this.#open.size > 0;
  }

  /** The domains whose files are to be checked: new ones, and those with a device whose address has changed. */
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
    // After that there is a file, or there will be none.
    for (const domid of due) if (nowMs - this.#since.get(domid)! > FILE_WITHIN_MS) this.#open.delete(domid);
    return due;
  }

  /** A domain's file exists and is correct. */
  settle(domid: number): void {
    this.#open.delete(domid);
  }
}

/** Corrects the files of new domains, and of those with a replugged device. */
export class AddressDuty implements Duty {
  readonly #context: DutyContext;
  readonly #addresses = new AddressesSeen();

  constructor(context: DutyContext) {
    this.#context = context;
  }

  dueMs(nowMs: number): number | undefined {
    return this.#addresses.isWaiting ? nowMs + FILE_RETRY_MS : undefined;
  }

  async see({ inventory }: Look): Promise<void> {
    const { host, options, carry, tell, trouble } = this.#context;
    if (!host.userdata) return;
    for (const domid of this.#addresses.see(inventory, host.clock.nowMs())) {
      const name = domainAt(inventory, domid)?.name;
      try {
        const { plan, result } = await carry(
          { what: 'addresses', request: { domid }, why: 'its saved configuration had old addresses' },
          (operation) => correctAddresses(host, { domid, seen: inventory }, operation),
        );
        if (result.hasFile) this.#addresses.settle(domid);
        if (options.dryRun && plan.steps.length > 0) tell({ event: 'planned', plan });
        if (!options.dryRun)
          for (const address of result.corrected) tell({ event: 'corrected', name, ...address });
      } catch (error) {
        trouble(error);
      }
    }
  }
}
