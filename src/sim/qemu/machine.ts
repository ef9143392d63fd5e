/** What a QEMU's `device_add` and `device_del` act on: emulated controllers and the devices in their ports. */
import { type UsbAccess, UsbHost } from './usb-host.js';

/** A command's failure, in QEMU's words. */
export class QmpError extends Error {
  override readonly name = 'QmpError';
  /** `GenericError`, `DeviceNotFound` or `CommandNotFound`. */
  readonly errorClass: string;

  constructor(text: string, errorClass = 'GenericError') {
    super(text);
    this.errorClass = errorClass;
  }
}

/** Fields of a command, not checked yet. */
export type Fields = Readonly<Record<string, unknown>>;

interface EmulatedController {
  readonly driver: string;
  readonly ports: number;
  /** Mbit/s of the slowest device it takes: an EHCI has no transaction translator of its own. */
  readonly slowest: number;
  unplugging: boolean;
}

/** The ports of each controller; an xHCI's are in the command. */
const PORTS: Readonly<Record<string, number>> = { 'piix3-usb-uhci': 2, 'usb-ehci': 6, 'nec-usb-xhci': 0 };

/** How a machine reports what it did. */
interface MachineEvents {
  /** A device is gone: the event `DEVICE_DELETED`. */
  deleted(id: string): void;
}

/** `/machine/peripheral` of a QEMU. */
export class Machine {
  /** True for an emulated PC; the machine of PV and PVH guests has no PCI bus. */
  readonly #pci: boolean;
  readonly #access: UsbAccess;
  readonly #events: MachineEvents;
  readonly #controllers = new Map<string, EmulatedController>();
  readonly #hosts = new Map<string, UsbHost>();
  /** The paravirtual controllers and their devices: they also have ids, but not from `device_add`. */
  readonly backends = new Map<string, UsbHost | undefined>();

  constructor(pci: boolean, access: UsbAccess, events: MachineEvents) {
    this.#pci = pci;
    this.#access = access;
    this.#events = events;
  }

  /** Every `usb-host`. */
  get hosts(): UsbHost[] {
    return [...this.#hosts.values(), ...[...this.backends.values()].filter((host) => host !== undefined)];
  }

  /** `device_add`. Rejects with a {@link QmpError}. */
  async add(fields: Fields): Promise<void> {
    const driver = text(fields, 'driver');
    const id = fields.id === undefined ? undefined : text(fields, 'id');
    if (id !== undefined && !/^[A-Za-z][\w.-]*$/.test(id)) {
      throw new QmpError(`Parameter 'id' expects an identifier`);
    }
    if (id !== undefined && this.#has(id)) throw new QmpError(`Duplicate device ID '${id}'`);
    if (driver === 'usb-host') return this.#addHost(id ?? `device[${this.#hosts.size}]`, fields);
    if (!Object.hasOwn(PORTS, driver)) throw new QmpError(`'${driver}' is not a valid device model name`);
    if (!this.#pci) throw new QmpError(`No 'PCI' bus found for device '${driver}'`);
    const asked = Math.max(wholeNumber(fields, 'p2') ?? 4, wholeNumber(fields, 'p3') ?? 4);
    // An xHCI accepts any number and has at most 15 ports (observed).
    const ports = PORTS[driver] || Math.min(asked, XHCI_PORTS_MAX);
    this.#controllers.set(id ?? `device[${this.#controllers.size}]`, {
      driver,
      ports,
      slowest: driver === 'usb-ehci' ? HIGH_SPEED : 0,
      unplugging: false,
    });
  }

  async #addHost(id: string, fields: Fields): Promise<void> {
    const bus = fields.bus === undefined ? this.#firstBus() : text(fields, 'bus');
    const controller = bus.endsWith('.0') ? this.#controllers.get(bus.slice(0, -2)) : undefined;
    if (!controller) throw new QmpError(`Bus '${bus}' not found`);
    const hostbus = wholeNumber(fields, 'hostbus') ?? 0;
    const hostaddr = wholeNumber(fields, 'hostaddr') ?? 0;
    const hostport = fields.hostport === undefined ? undefined : text(fields, 'hostport');
    const match = hostport === undefined ? { hostbus, hostaddr } : { hostbus, hostport };
    const port = fields.port === undefined ? this.#freePort(bus, controller) : text(fields, 'port');
    const taken = [...this.#hosts.values()].some((host) => host.bus === bus && host.port === port);
    if (taken || !/^[1-9]\d?$/.test(port) || Number(port) > controller.ports) {
      throw new QmpError(`usb port ${port} (bus ${bus}) not found (in use?)`);
    }
    const host = new UsbHost({ id, bus, port, match }, this.#access);
    if (hostport === undefined) await this.#openNow(host, hostbus, hostaddr, controller, bus, port);
    else if (await host.open()) await host.claim();
    this.#hosts.set(id, host);
  }

  async #openNow(
    host: UsbHost,
    hostbus: number,
    hostaddr: number,
    controller: EmulatedController,
    bus: string,
    port: string,
  ): Promise<void> {
    const device = host.find();
    if (!device) throw new QmpError(`failed to find host usb device ${hostbus}:${hostaddr}`);
    if (device.spec.speedMbps < controller.slowest) {
      this.#access.log.push(
        `Warning: speed mismatch trying to attach usb device "${device.spec.product ?? ''}" (full speed) to bus "${bus}", port "${port}" (high speed)`,
      );
      throw new QmpError(`failed to open host usb device ${hostbus}:${hostaddr}`);
    }
    if (!(await host.open())) throw new QmpError(`failed to open host usb device ${hostbus}:${hostaddr}`);
    await host.claim();
  }

  /**
   * `device_del`: a USB device is gone at once; a PCI device when the guest has let go of it, which the returned
   * function does.
   */
  async delete(id: string): Promise<(() => Promise<void>) | undefined> {
    const host = this.#hosts.get(id);
    if (host) {
      await this.#deleteHost(host);
      return undefined;
    }
    const controller = this.#controllers.get(id);
    if (!controller) throw new QmpError(`Device '${id}' not found`, 'DeviceNotFound');
    if (controller.unplugging) throw new QmpError(`Device ${id} is already in the process of unplug`);
    controller.unplugging = true;
    return async () => {
      for (const child of [...this.#hosts.values()]) {
        if (child.bus === `${id}.0`) await this.#deleteHost(child);
      }
      this.#controllers.delete(id);
      this.#events.deleted(id);
    };
  }

  /** `qom-list` of `/machine/peripheral`. */
  list(): { readonly name: string; readonly type: string }[] {
    const child = (name: string, type: string) => ({ name, type: `child<${type}>` });
    return [
      { name: 'type', type: 'string' },
      ...[...this.backends].map(([id, host]) => child(id, host ? 'usb-host' : 'xen-backend')),
      ...[...this.#controllers].map(([id, { driver }]) => child(id, driver)),
      ...[...this.#hosts.keys()].map((id) => child(id, 'usb-host')),
    ];
  }

  /** `qom-get` of a device. */
  property(id: string, name: string): unknown {
    if (!this.#has(id)) throw new QmpError(`Device '/machine/peripheral/${id}' not found`, 'DeviceNotFound');
    const host = this.#hosts.get(id) ?? this.backends.get(id);
    const controller = this.#controllers.get(id);
    const type = host ? 'usb-host' : (controller?.driver ?? 'xen-backend');
    const bus = host?.bus.endsWith('.0') ? host.bus.slice(0, -2) : '';
    const all: Readonly<Record<string, unknown>> = {
      type,
      ...(host ? { hostaddr: 0, hostport: '', port: host.port, ...host.match } : {}),
      ...(host ? { attached: host.busid !== undefined } : {}),
      ...(host ? { parent_bus: `/machine/peripheral/${bus}/${host.bus}` } : {}),
      ...(controller?.driver === 'nec-usb-xhci' ? { p2: controller.ports, p3: controller.ports } : {}),
    };
    if (!Object.hasOwn(all, name)) throw new QmpError(`Property '${type}.${name}' not found`);
    return all[name];
  }

  async #deleteHost(host: UsbHost): Promise<void> {
    this.#hosts.delete(host.id);
    await host.close();
    this.#events.deleted(host.id);
  }

  #has(id: string): boolean {
    return this.#controllers.has(id) || this.#hosts.has(id) || this.backends.has(id);
  }

  #firstBus(): string {
    const id = [...this.#controllers.keys()][0];
    if (id === undefined) throw new QmpError(`No 'usb-bus' bus found for device 'usb-host'`);
    return `${id}.0`;
  }

  #freePort(bus: string, controller: EmulatedController): string {
    const taken = [...this.#hosts.values()].filter((host) => host.bus === bus).map(({ port }) => port);
    for (let port = 1; port <= controller.ports; port++) {
      if (!taken.includes(String(port))) return String(port);
    }
    throw new QmpError('tried to attach usb device USB Host Device to a bus with no free ports');
  }
}

/** `hw/usb/hcd-xhci.h: XHCI_MAXPORTS_2`. */
const XHCI_PORTS_MAX = 15;

/** Mbit/s. */
const HIGH_SPEED = 480;

/** A field that must exist, and be a string. */
export function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (value === undefined) throw new QmpError(`Parameter '${name}' is missing`);
  if (typeof value !== 'string') throw wrongType(name, 'string');
  return value;
}

/** An integer, if it exists. QEMU 7.2 also accepts it as a string; 9.2 and later do not, and neither do we. */
function wholeNumber(fields: Fields, name: string): number | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongType(name, 'integer');
  return value;
}

function wrongType(name: string, expected: string): QmpError {
  return new QmpError(`Invalid parameter type for '${name}', expected: ${expected}`);
}
