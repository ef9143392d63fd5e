/** Another toolstack on the same host, which writes as libxl does: without looking again, one node after another. */
import type { SimHost } from '../../src/sim/index.js';
import { savedDriverPath } from '../../src/sim/index.js';

const BACKENDS = '/local/domain/0/backend/vusb';

/** A controller of a domain. */
export interface RivalController {
  readonly domid: number;
  readonly devid: number;
}

/** What `xl` does to a host. Refusals of the kernel are its bad luck. */
export class Rival {
  readonly #sim: SimHost;

  constructor(sim: SimHost) {
    this.#sim = sim;
  }

  /** Writes a device into a port and hands its interfaces to usbback. */
  async attach({ domid, devid }: RivalController, port: number, busid: string): Promise<void> {
    const dom0 = this.#sim.store.handle(0);
    const backend = `${BACKENDS}/${domid}/${devid}`;
    if ((await dom0.read(backend)) === undefined) return;
    await dom0.write(`${backend}/port/${port}`, busid);
    for (const { id, driver } of this.#sim.usb.device(busid)?.interfaces ?? []) {
      if (driver === 'usbback') continue;
      if (driver !== undefined) {
        await dom0.write(savedDriverPath(busid, id), `/sys/bus/usb/drivers/${driver}`);
        await this.#sim.usb.unbind(driver, id).catch(() => undefined);
      }
      await this.#sim.usb.bind('usbback', id).catch(() => undefined);
    }
  }

  /** Takes a device back from whichever ports hold it. */
  async detach(busid: string): Promise<void> {
    const dom0 = this.#sim.store.handle(0);
    const interfaces = (this.#sim.usb.device(busid)?.interfaces ?? []).map(({ id }) => id);
    for (const id of interfaces) await this.#sim.usb.unbind('usbback', id).catch(() => undefined);
    for (const domid of (await dom0.directory(BACKENDS)) ?? []) {
      for (const devid of (await dom0.directory(`${BACKENDS}/${domid}`)) ?? []) {
        const ports = `${BACKENDS}/${domid}/${devid}/port`;
        for (const port of (await dom0.directory(ports)) ?? []) {
          if ((await dom0.read(`${ports}/${port}`)) === busid) await dom0.write(`${ports}/${port}`, '');
        }
      }
    }
    for (const id of interfaces) {
      const path = await dom0.read(savedDriverPath(busid, id));
      const driver = path?.slice(path.lastIndexOf('/') + 1);
      if (driver) await this.#sim.usb.bind(driver, id).catch(() => undefined);
    }
    await this.#remove(savedDriverPath(busid, '').split('/').slice(0, 4).join('/'));
  }

  /** Adds the next controller of a domain that is alive. */
  async add(domid: number): Promise<void> {
    if (!this.#sim.guests.has(domid)) return;
    const dom0 = this.#sim.store.handle(0);
    const taken = ((await dom0.directory(`/libxl/${domid}/device/vusb`)) ?? []).map(Number);
    await this.#sim.addController({
      domid,
      devid: Math.max(-1, ...taken) + 1,
      type: 'pv',
      version: 2,
      portCount: 2,
      backendDomid: 0,
      backendState: 1,
      frontendState: 1,
      online: true,
      ports: new Map(),
    });
  }

  /** Takes the devices of a controller back and removes its trees. */
  async remove({ domid, devid }: RivalController): Promise<void> {
    const dom0 = this.#sim.store.handle(0);
    const backend = `${BACKENDS}/${domid}/${devid}`;
    for (const port of (await dom0.directory(`${backend}/port`)) ?? []) {
      const busid = await dom0.read(`${backend}/port/${port}`);
      if (busid) await this.detach(busid);
    }
    await this.#remove(`/local/domain/${domid}/device/vusb/${devid}`);
    await this.#remove(backend);
    await this.#remove(`/libxl/${domid}/device/vusb/${devid}`);
    const dom0Node = `/libxl/${domid}/device/vusb`;
    if ((await dom0.directory(dom0Node))?.length === 0) await dom0.rm(dom0Node);
  }

  async #remove(path: string): Promise<void> {
    const dom0 = this.#sim.store.handle(0);
    if ((await dom0.read(path)) !== undefined) await dom0.rm(path);
  }
}
