/** The duty that frees the ports of devices that were pulled out: what is plugged in there next is not the guest's. */
import type { Busid } from '../../sysfs/index.js';
import { isBoundWithoutPort } from '../diagnose/diagnose.js';
import { isPvusbError } from '../model/errors.js';
import { deviceAt, domainAt, isOf, livingGuests, type Place, placesOf, savedFor } from '../model/find.js';
import type { Finding } from '../model/finding.js';
import type { Inventory } from '../model/inventory.js';
import { detachDevice } from '../verbs/detach.js';
import type { Duty, DutyContext } from './duty.js';
import { mend } from './mend.js';
import type { Look } from './monitor.js';

/** What another device that came too soon may be left with: usbback took it for the one that was lent. */
const LEFT: ReadonlySet<Finding['finding']> = new Set(['binding-without-port', 'stale-saved-driver']);

/** How long another device in a socket is looked after, once the port of the first has been freed. */
const LOOK_AFTER_MS = 60_000;

/** The pause before another try. */
const RETRY_MS = 1_000;

/** Frees ports. A device that is back in its socket by the time it is seen is still the guest's. */
export class Unplugged implements Duty {
  readonly #context: DutyContext;
  /** Sockets whose ports were freed, and until when they are looked after. */
  readonly #freed = new Map<Busid, number>();
  #againMs: number | undefined;

  constructor(context: DutyContext) {
    this.#context = context;
  }

  dueMs(): number | undefined {
    return this.#againMs;
  }

  async see({ inventory }: Look): Promise<void> {
    const nowMs = this.#context.host.clock.nowMs();
    this.#againMs = undefined;
    for (const [busid, untilMs] of this.#freed) {
      const device = deviceAt(inventory, busid);
      if (untilMs < nowMs || placesOf(inventory, busid).length > 0) this.#freed.delete(busid);
      else if (device && (savedFor(inventory, busid) || isBoundWithoutPort(inventory, device)))
        await this.#giveBack(busid);
    }
    // After those that were freed before: in this look, these ports still have their devices.
    for (const place of leftPlaces(inventory)) {
      const name = domainAt(inventory, place.controller.domid)?.name;
      if (!(await this.#free(place, name))) this.#againMs = nowMs + RETRY_MS;
    }
  }

  /** Whether it is free. */
  async #free({ controller, port }: Place, name: string | undefined): Promise<boolean> {
    const { host, options, carry, tell } = this.#context;
    const { domid, devid } = controller;
    const busid = port.busid!;
    try {
      const at = { domid, devid, port: port.port, busid };
      const { plan } = await carry(
        { what: 'detach', request: at, why: 'the device was pulled out' },
        (operation) => detachDevice(host, { domain: domid, devid, port: port.port }, operation),
      );
      if (options.dryRun) tell({ event: 'planned', plan });
      else tell({ event: 'unplugged', name, ...at });
    } catch (error) {
      // Somebody else was faster.
      if (!isPvusbError(error, 'port-empty', 'no-such-controller', 'no-such-domain')) {
        this.#context.trouble(error);
        // What failed last may be the drivers of another device: the port is free.
        if (!isPvusbError(error, 'driver-not-restored', 'other-driver')) return false;
      }
    }
    this.#freed.set(busid, host.clock.nowMs() + LOOK_AFTER_MS);
    return true;
  }

  async #giveBack(busid: Busid): Promise<void> {
    const { options, trouble } = this.#context;
    if (options.dryRun) return;
    const own = { request: { busid }, why: 'another device is in the socket of a lent device' };
    try {
      await mend(this.#context, own, {
        settleMs: 0,
        revivable: (one) => one === busid,
        only: (finding) => LEFT.has(finding.finding) && 'busid' in finding && finding.busid === busid,
      });
    } catch (error) {
      trouble(error);
    }
  }
}

/** Ports of living guests whose device is gone, or has another one in its place. */
function leftPlaces(inventory: Inventory): Place[] {
  const alive = new Set(livingGuests(inventory).map(({ domid }) => domid));
  return inventory.controllers
    .filter(({ domid, backendDomid }) => alive.has(domid) && backendDomid === 0)
    .flatMap((controller) => controller.ports.map((port): Place => ({ controller, port })))
    .filter(({ port: { busid } }) => {
      if (busid === undefined) return false;
      const device = deviceAt(inventory, busid);
      return !device || !isOf(savedFor(inventory, busid), device, true);
    });
}
