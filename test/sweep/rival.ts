/** Another toolstack on the same host, which writes like libxl: without looking again, one node after another. */
import type { ControllerType } from '../../src/pvusb/index.js';
import { type SimHost, savedDriverPath } from '../../src/sim/index.js';
import { SavedFiles } from './saved-files.js';

/** A controller of a domain. */
interface RivalController {
  readonly domid: number;
  readonly devid: number;
}

/**
 * What `xl` does to a host whose controllers are all of one type. It ignores refusals by the kernel and QEMU. What it
 * adds it first writes into the saved configuration, under the lock, and leaves it there whatever happens; what it
 * removes stays in there (libxl is lazy: it ignores such entries when it reads), so that the doctor is needed.
 */
export class Rival {
  readonly #sim: SimHost;
  readonly #files: SavedFiles;
  readonly #type: ControllerType;

  constructor(sim: SimHost, type: ControllerType = 'pv') {
    this.#sim = sim;
    this.#files = SavedFiles.of(sim);
    this.#type = type;
  }

  /** Writes a device into a port and hands it over: to usbback, or to a QEMU that is told or sees it. */
  async attach(controller: RivalController, port: number, busid: string): Promise<void> {
    const dom0 = this.#sim.store.handle(0);
    const ports = this.#portsOf(controller);
    const { bus, address } = this.#addressOf(busid);
    let isThere = false;
    await this.#files.whileLocked(controller.domid, async () => {
      isThere = (await dom0.read(ports)) !== undefined;
      if (!isThere) return;
      const device = { ctrl: controller.devid, port, hostbus: bus, hostaddr: address };
      this.#files.edit(controller.domid, (config) => config.withDevice(device));
      await dom0.write(`${ports}/${port}`, busid);
    });
    if (this.#type === 'pv' && isThere) await this.#bind(busid);
    if (this.#type !== 'devicemodel' || !isThere) return;
    const at = { bus: `xenusb-${controller.devid}.0`, port: String(port), hostbus: bus, hostaddr: address };
    const fields = { driver: 'usb-host', id: `xenusb-${bus}-${address}`, ...at };
    if (!(await this.#command(controller.domid, 'device_add', fields)))
      await dom0.write(`${ports}/${port}`, '');
  }

  /** Takes a device back from whatever ports hold it. */
  async detach(busid: string): Promise<void> {
    const dom0 = this.#sim.store.handle(0);
    if (this.#type === 'pv') await this.#unbind(busid);
    const { bus, address } = this.#addressOf(busid);
    for (const controller of await this.#controllers()) {
      const ports = this.#portsOf(controller);
      for (const port of (await dom0.directory(ports)) ?? []) {
        if ((await dom0.read(`${ports}/${port}`)) !== busid) continue;
        if (this.#type === 'devicemodel')
          await this.#command(controller.domid, 'device_del', { id: `xenusb-${bus}-${address}` });
        await dom0.write(`${ports}/${port}`, '');
      }
    }
    if (this.#type === 'pv') await this.#giveBack(busid);
  }

  /** Adds the next controller to a living domain. */
  async add(domid: number): Promise<void> {
    if (!this.#sim.guests.has(domid)) return;
    await this.#files.whileLocked(domid, () => this.#addLocked(domid));
  }

  async #addLocked(domid: number): Promise<void> {
    const taken = await this.#devidsOf(domid);
    const isEmulated = this.#type === 'devicemodel';
    const devid = Math.max(-1, ...taken) + 1;
    const [type, version] = [this.#type, isEmulated ? 3 : 2];
    this.#files.edit(domid, (config) => config.withController({ devid, type, version, ports: 2 }));
    await this.#sim.addController({
      domid,
      devid,
      type,
      version,
      portCount: 2,
      backendDomid: 0,
      ...(isEmulated ? {} : { backendState: 1, frontendState: 1 }),
      online: true,
      ports: new Map(),
    });
  }

  /** Takes the devices of a controller back and removes its trees. */
  async remove(controller: RivalController): Promise<void> {
    const { domid, devid } = controller;
    const dom0 = this.#sim.store.handle(0);
    const ports = this.#portsOf(controller);
    for (const port of (await dom0.directory(ports)) ?? []) {
      const busid = await dom0.read(`${ports}/${port}`);
      if (busid) await this.detach(busid);
    }
    if (this.#type === 'devicemodel') await this.#command(domid, 'device_del', { id: `xenusb-${devid}` });
    else {
      await this.#remove(`/local/domain/${domid}/device/vusb/${devid}`);
      await this.#remove(`${this.#backends}/${domid}/${devid}`);
    }
    await this.#remove(`${recordsOf(domid)}/${devid}`);
    if ((await dom0.directory(recordsOf(domid)))?.length === 0) await dom0.rm(recordsOf(domid));
  }

  get #backends(): string {
    return `/local/domain/0/backend/${this.#type === 'qusb' ? 'qusb' : 'vusb'}`;
  }

  #portsOf({ domid, devid }: RivalController): string {
    const isEmulated = this.#type === 'devicemodel';
    return `${isEmulated ? recordsOf(domid) : `${this.#backends}/${domid}`}/${devid}/port`;
  }

  async #controllers(): Promise<RivalController[]> {
    const dom0 = this.#sim.store.handle(0);
    const all: RivalController[] = [];
    for (const domid of ((await dom0.directory('/libxl')) ?? []).map(Number)) {
      for (const devid of await this.#devidsOf(domid)) all.push({ domid, devid });
    }
    return all;
  }

  async #devidsOf(domid: number): Promise<number[]> {
    return ((await this.#sim.store.handle(0).directory(recordsOf(domid))) ?? []).map(Number);
  }

  #addressOf(busid: string): { readonly bus: number; readonly address: number } {
    return { bus: Number.parseInt(busid, 10), address: this.#sim.usb.device(busid)?.address ?? 0 };
  }

  /** False when the QEMU refuses, or is gone. */
  async #command(domid: number, execute: string, fields: Record<string, unknown>): Promise<boolean> {
    const qemu = this.#sim.qemus.get(domid);
    if (!qemu?.alive) return false;
    return qemu.execute(execute, fields).then(
      () => true,
      () => false,
    );
  }

  async #bind(busid: string): Promise<void> {
    const dom0 = this.#sim.store.handle(0);
    for (const { id, driver } of this.#sim.usb.device(busid)?.interfaces ?? []) {
      if (driver === 'usbback') continue;
      if (driver !== undefined) {
        await dom0.write(savedDriverPath(busid, id), `/sys/bus/usb/drivers/${driver}`);
        await this.#sim.usb.unbind(driver, id).catch(() => undefined);
      }
      await this.#sim.usb.bind('usbback', id).catch(() => undefined);
    }
  }

  async #unbind(busid: string): Promise<void> {
    for (const { id } of this.#sim.usb.device(busid)?.interfaces ?? [])
      await this.#sim.usb.unbind('usbback', id).catch(() => undefined);
  }

  async #giveBack(busid: string): Promise<void> {
    const dom0 = this.#sim.store.handle(0);
    for (const { id } of this.#sim.usb.device(busid)?.interfaces ?? []) {
      const path = await dom0.read(savedDriverPath(busid, id));
      const driver = path?.slice(path.lastIndexOf('/') + 1);
      if (driver) await this.#sim.usb.bind(driver, id).catch(() => undefined);
    }
    await this.#remove(savedDriverPath(busid, '').split('/').slice(0, 4).join('/'));
  }

  async #remove(path: string): Promise<void> {
    const dom0 = this.#sim.store.handle(0);
    if ((await dom0.read(path)) !== undefined) await dom0.rm(path);
  }
}

function recordsOf(domid: number): string {
  return `/libxl/${domid}/device/vusb`;
}
