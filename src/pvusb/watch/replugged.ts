/** The duty that hands a replugged device to its guest again, where QEMU takes it but does not tell the guest. */
import type { Busid } from '../../sysfs/index.js';
import { deviceAt, livingGuests } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import type { Duty, DutyContext } from './duty.js';
import { mend } from './mend.js';
import type { Look } from './monitor.js';

/** How long a guest may take to notice. */
const NOTICE_MS = 3_000;

/** Hands devices that came back to their guests again. */
export class Replugged implements Duty {
  readonly isSlow = true;
  readonly #context: DutyContext;
  /** The address that the device of each port had when it was last there. */
  readonly #addresses = new Map<string, string>();
  /** Devices that have come back, and since when. */
  readonly #back = new Map<Busid, number>();

  constructor(context: DutyContext) {
    this.#context = context;
  }

  dueMs(): number | undefined {
    return this.#back.size === 0 ? undefined : Math.min(...this.#back.values()) + NOTICE_MS;
  }

  async see({ inventory, isFirst }: Look): Promise<void> {
    const nowMs = this.#context.host.clock.nowMs();
    for (const busid of this.#cameBack(inventory, isFirst)) this.#back.set(busid, nowMs);
    const ripe = [...this.#back].filter(([, sinceMs]) => sinceMs + NOTICE_MS <= nowMs);
    if (ripe.length === 0) return;
    for (const [busid] of ripe) this.#back.delete(busid);
    try {
      await this.#handAnew(new Set(ripe.map(([busid]) => busid)));
    } catch (error) {
      this.#context.trouble(error);
    }
  }

  /** Devices with another address than before; at the first look that is not known of any. */
  #cameBack(inventory: Inventory, isFirst: boolean): Busid[] {
    const alive = new Set(livingGuests(inventory).map(({ domid }) => domid));
    const lent = inventory.controllers
      .filter(({ domid }) => alive.has(domid))
      .flatMap(({ domid, devid, ports }) =>
        ports.flatMap(({ port, busid }) =>
          busid ? [{ at: `${domid}/${devid}/${port}/${busid}`, busid }] : [],
        ),
      );
    const ats = new Set(lent.map(({ at }) => at));
    for (const at of this.#addresses.keys()) if (!ats.has(at)) this.#addresses.delete(at);
    return lent.flatMap(({ at, busid }) => {
      const device = deviceAt(inventory, busid);
      if (!device) return [];
      const address = `${device.bus}.${device.address}`;
      const before = this.#addresses.get(at);
      this.#addresses.set(at, address);
      return isFirst || (before !== undefined && before !== address) ? [busid] : [];
    });
  }

  async #handAnew(busids: ReadonlySet<Busid>): Promise<void> {
    const own = { request: { busids: [...busids] }, why: 'a device of a guest came back' };
    await mend(this.#context, own, {
      only: (finding) =>
        finding.finding === 'unnoticed-device' && finding.isReplugged && busids.has(finding.busid),
    });
  }
}
