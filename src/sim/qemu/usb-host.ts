/** QEMU's `usb-host`: a host device that QEMU holds through libusb (`hw/usb/host-libusb.c` of QEMU 7.2). */
import { busOf, isRootHub, type PluggedDevice, portPathOf, type SimUsb } from '../kernel/index.js';

/** Which device: whatever is in a socket; or the one that had this address when it was given. */
type HostMatch =
  | { readonly hostbus: number; readonly hostport: string }
  | { readonly hostbus: number; readonly hostaddr: number };

/** A `usb-host` of a QEMU. */
interface UsbHostSpec {
  readonly id: string;
  /** The bus it is on: `xenusb-0.0`. */
  readonly bus: string;
  /** The port of that bus. */
  readonly port: string;
  readonly match: HostMatch;
}

/** What QEMU needs from its host to open a device. */
export interface UsbAccess {
  readonly usb: SimUsb;
  /** False: the device cannot be opened. */
  mayOpen(busid: string): boolean;
  readonly log: string[];
}

interface Held {
  readonly busid: string;
  readonly address: number;
  /** Interfaces that a kernel driver had: only these are given back. */
  readonly detached: readonly string[];
}

/** A `usb-host` device. */
export class UsbHost {
  readonly id: string;
  readonly bus: string;
  readonly port: string;
  readonly match: HostMatch;
  readonly #access: UsbAccess;
  #held: Held | undefined;
  #claimed: string[] = [];

  constructor(spec: UsbHostSpec, access: UsbAccess) {
    this.id = spec.id;
    this.bus = spec.bus;
    this.port = spec.port;
    this.match = spec.match;
    this.#access = access;
  }

  /** The device it holds at the moment. */
  get busid(): string | undefined {
    return this.#held?.busid;
  }

  /** The host's device that it is for, if that is plugged in. Hubs are skipped. */
  find(): PluggedDevice | undefined {
    const { match } = this;
    return this.#access.usb.devices.find(({ busid, address, spec }) => {
      if (spec.deviceClass === '09' || isRootHub(busid) || busOf(busid) !== match.hostbus) return false;
      return 'hostport' in match ? portPathOf(busid) === match.hostport : address === match.hostaddr;
    });
  }

  /** Opens the device: its interfaces lose their drivers. False when it is not plugged in or cannot be opened. */
  async open(): Promise<boolean> {
    if (this.#held) return true;
    const device = this.find();
    if (!device) return false;
    const { busid, address, interfaces } = device;
    if (!this.#access.mayOpen(busid)) {
      const node = `${String(busOf(busid)).padStart(3, '0')}/${String(address).padStart(3, '0')}`;
      this.#access.log.push(
        `libusb: error [get_usbfs_fd] libusb couldn't open USB device /dev/bus/usb/${node}, errno=13`,
      );
      return false;
    }
    const detached: string[] = [];
    const held = { busid, address, detached };
    this.#held = held;
    for (const { id } of interfaces) {
      if (this.#held !== held) return false;
      if (await this.#access.usb.disconnect(id).catch(() => false)) detached.push(id);
    }
    return true;
  }

  /** The guest configures the device: QEMU claims its interfaces, which is when their driver becomes `usbfs`. */
  async claim(): Promise<void> {
    const held = this.#held;
    if (!held) return;
    for (const { id } of this.#access.usb.device(held.busid)?.interfaces ?? []) {
      const taken = await this.#access.usb.claim(id).then(
        () => true,
        () => false,
      );
      // The device or the process may be gone meanwhile.
      const still = this.#held === held;
      if (taken && still) this.#claimed.push(id);
      if (taken && !still) await this.#access.usb.release(id);
      if (!still) return;
    }
  }

  /** Closes the device; libusb asks the kernel to bind what it detached, in the order of the interfaces. */
  async close(): Promise<void> {
    const held = this.#held;
    await this.drop();
    for (const id of held?.detached ?? []) await this.#access.usb.probe(id).catch(() => undefined);
  }

  /** What the kernel does when the process is gone: no driver is asked to take the interfaces. */
  async drop(): Promise<void> {
    const claimed = this.#claimed;
    this.vanished();
    for (const id of claimed) await this.#access.usb.release(id);
  }

  /** The device was pulled out. */
  vanished(): void {
    this.#held = undefined;
    this.#claimed = [];
  }
}
