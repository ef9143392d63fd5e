/** The simulated kernel's sysfs as real files, for programs that read the file system. */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { attributeTexts, DEVICE_ATTRIBUTES, INTERFACE_ATTRIBUTES } from '../kernel/attributes.js';
import { descriptorsOf } from '../kernel/descriptors.js';
import type { KernelChange, PluggedDevice, PluggedInterface, SimUsb } from '../kernel/index.js';
import { type PortFiles, portsOf } from '../kernel/ports.js';
import { makeFifos, readFifo, splitNames } from './fifo.js';

/** A published tree. */
export interface Published {
  /** Removes all that was published. Idempotent. */
  close(): Promise<void>;
}

/**
 * Shows `usb` as `<dir>/sys/bus/usb`: attributes are files, `driver` is a link, `bind`, `unbind` and `drivers_probe`
 * are named pipes. Folders are made as needed. Every change of `usb` is in the files before its event ends.
 *
 * A pipe cannot answer: a write that the kernel would refuse succeeds, and is recognised by a `driver` link that does
 * not change. What was written is carried out in the order of each pipe, shortly after the write.
 */
export async function publishSysfs(usb: SimUsb, dir: string): Promise<Published> {
  const tree = new Tree(usb, join(dir, 'sys', 'bus', 'usb'));
  tree.open();
  const stop = usb.onChange((change) => tree.follow(change));
  return {
    async close() {
      stop();
      tree.close();
      rmSync(join(dir, 'sys'), { recursive: true, force: true });
    },
  };
}

/** A named pipe below the root, and what is done with a name written into it. */
interface Pipe {
  readonly name: string;
  act(intf: string): Promise<void>;
}

class Tree {
  readonly #usb: SimUsb;
  readonly #root: string;
  readonly #pipes = new Map<string, () => void>();
  /** The interfaces of each device shown: when one is unplugged the kernel no longer knows them. */
  readonly #shown = new Map<string, string[]>();

  constructor(usb: SimUsb, root: string) {
    this.#usb = usb;
    this.#root = root;
  }

  open(): void {
    mkdirSync(join(this.#root, 'devices'), { recursive: true });
    mkdirSync(join(this.#root, 'drivers', 'usb'), { recursive: true });
    this.#openPipes([
      { name: 'drivers_probe', act: (name) => this.#usb.probe(name) },
      ...this.#usb.drivers.flatMap(({ name }) => this.#pipesOf(name)),
    ]);
    for (const device of this.#usb.devices) {
      this.#addDevice(device);
      for (const { id, driver } of device.interfaces) if (driver !== undefined) this.#bound(id, driver);
    }
  }

  follow(change: KernelChange): void {
    switch (change.kind) {
      case 'plug': {
        const device = this.#usb.device(change.busid);
        if (device) this.#addDevice(device);
        break;
      }
      case 'unplug':
        this.#removeDevice(change.busid);
        break;
      case 'bind':
        this.#bound(change.interface, change.driver);
        break;
      case 'unbind':
        this.#unbound(change.interface, change.driver);
        break;
      case 'driver-added':
        this.#openPipes(this.#pipesOf(change.driver));
        break;
      case 'driver-removed':
        this.#removeDriver(change.driver);
        break;
    }
  }

  close(): void {
    for (const end of this.#pipes.values()) end();
    this.#pipes.clear();
  }

  #path(...names: string[]): string {
    return join(this.#root, ...names);
  }

  #addDevice(device: PluggedDevice): void {
    this.#shown.set(
      device.busid,
      device.interfaces.map(({ id }) => id),
    );
    this.#folder(device.busid, attributeTexts(DEVICE_ATTRIBUTES, device));
    writeFileSync(this.#path('devices', device.busid, 'descriptors'), descriptorsOf(device));
    link('../../drivers/usb', this.#path('devices', device.busid, 'driver'));
    link(`../../devices/${device.busid}`, this.#path('drivers', 'usb', device.busid));
    for (const intf of device.interfaces) this.#addInterface(intf);
    const [first] = device.interfaces;
    if (first) for (const [name, files] of portsOf(device)) this.#addPort(`${first.id}/${name}`, files);
  }

  #addPort(path: string, { link: peer, text }: PortFiles): void {
    this.#folder(path, text === undefined ? {} : { connect_type: text });
    if (peer !== undefined) link(peer, this.#path('devices', path, 'peer'));
  }

  #addInterface(intf: PluggedInterface): void {
    this.#folder(intf.id, attributeTexts(INTERFACE_ATTRIBUTES, intf));
    if (intf.driver !== undefined) this.#bound(intf.id, intf.driver);
  }

  #folder(name: string, attributes: Readonly<Record<string, string>>): void {
    mkdirSync(this.#path('devices', name), { recursive: true });
    for (const [key, text] of Object.entries(attributes))
      writeFileSync(this.#path('devices', name, key), text);
  }

  #removeDevice(busid: string): void {
    const interfaces = this.#shown.get(busid) ?? [];
    this.#shown.delete(busid);
    for (const { name } of this.#usb.drivers) {
      for (const intf of interfaces) rmSync(this.#path('drivers', name, intf), { force: true });
    }
    rmSync(this.#path('drivers', 'usb', busid), { force: true });
    for (const name of [...interfaces, busid])
      rmSync(this.#path('devices', name), { recursive: true, force: true });
  }

  #bound(intf: string, driver: string): void {
    link(`../../drivers/${driver}`, this.#path('devices', intf, 'driver'));
    link(`../../devices/${intf}`, this.#path('drivers', driver, intf));
  }

  #unbound(intf: string, driver: string): void {
    rmSync(this.#path('devices', intf, 'driver'), { force: true });
    rmSync(this.#path('drivers', driver, intf), { force: true });
  }

  #pipesOf(driver: string): Pipe[] {
    return [
      { name: `drivers/${driver}/bind`, act: (intf) => this.#usb.bind(driver, intf) },
      { name: `drivers/${driver}/unbind`, act: (intf) => this.#usb.unbind(driver, intf) },
    ];
  }

  #removeDriver(name: string): void {
    for (const file of ['bind', 'unbind']) {
      this.#pipes.get(`drivers/${name}/${file}`)?.();
      this.#pipes.delete(`drivers/${name}/${file}`);
    }
    rmSync(this.#path('drivers', name), { recursive: true, force: true });
  }

  /** All at once, with their folders: creating them takes a program. */
  #openPipes(pipes: readonly Pipe[]): void {
    const missing = pipes.filter(({ name }) => !this.#pipes.has(name));
    for (const { name } of missing) mkdirSync(dirname(this.#path(name)), { recursive: true });
    makeFifos(missing.map(({ name }) => this.#path(name)));
    for (const { name, act } of missing) this.#pipes.set(name, this.#readPipe(this.#path(name), act));
  }

  #readPipe(path: string, act: Pipe['act']): () => void {
    return readFifo(path, (text) => {
      const known = this.#usb.devices.flatMap(({ busid, interfaces }) => [
        busid,
        ...interfaces.map(({ id }) => id),
      ]);
      // The writer is gone: there is nobody to tell about an errno.
      for (const written of splitNames(text, known)) act(written).catch(() => undefined);
    });
  }
}

/** Makes or replaces a link in one step, so that no reader finds it missing in between. */
function link(target: string, path: string): void {
  const made = `${path}~`;
  symlinkSync(target, made);
  renameSync(made, path);
}
