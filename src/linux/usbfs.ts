/** Devices of this host, by usbfs. */
import type { Block, DeviceListener, DeviceSpeed, LentDevice, Transfer } from '../backend/boundary.js';
import { DescriptorType, parseDescriptors, setupBytes } from '../usb/index.js';
import { PACKETS_MAX, PAGE_SIZE } from '../usbif/index.js';
import { EarlyLook } from './early-look.js';
import { LinuxError, linuxError } from './errors.js';
import { type Libc, O_RDWR } from './libc.js';
import { addressAt, setAddress, viewOf } from './structures.js';
import { SPEED_NAMES, UsbfsRequest } from './usbfs-numbers.js';
import { UrbPool } from './usbfs-urb.js';

const EAGAIN = -11;
const ENODEV = -19;

/** What a device is opened with. */
export interface UsbfsPlace {
  /** Its node: `/dev/bus/usb/003/012`. */
  readonly node: string;
  /** The hub that it is plugged into, and the port there: nothing else gets what is plugged in. */
  readonly socket?: { readonly node: string; readonly port: number } | undefined;
  /**
   * The configuration that the kernel has set, 0 for none. The device itself is not asked: some answer otherwise, and
   * what counts is which interfaces the kernel has.
   */
  readonly configuration: number;
}

const DESCRIPTOR_BYTES_MAX = 16 * PAGE_SIZE;
const CONTROL_TIMEOUT_MS = 1000;

/**
 * Opens a device, and takes all of its interfaces from their drivers.
 *
 * @throws {LinuxError} it is gone, or may not be taken
 */
export async function openUsbfs(libc: Libc, place: UsbfsPlace): Promise<LentDevice> {
  const fd = libc.open(place.node, O_RDWR);
  let hub: number | undefined;
  const scratch = libc.allocate(DESCRIPTOR_BYTES_MAX);
  const close = (): void => {
    libc.close(fd);
    if (hub !== undefined) libc.close(hub);
    libc.unmap(scratch);
  };
  try {
    if (place.socket) hub = claimPort(libc, place.socket, scratch);
    const read = libc.read(fd, scratch.address, DESCRIPTOR_BYTES_MAX);
    if (read < 0) throw linuxError(read, `reading the descriptors of ${place.node}`);
    const untrustedDescriptors = scratch.bytes.slice(0, read);
    const speed = libc.ioctl(fd, UsbfsRequest.getSpeed, 0);
    if (!(speed in SPEED_NAMES)) throw new LinuxError('unsupported', `${place.node} has no known speed`);
    const control = (request: readonly [number, number, number, number], length: number) =>
      readControl(libc, fd, scratch, setupBytes(...request, length));
    const untrustedBos = await readBos(control);
    const parts = { libc, fd, scratch, place, untrustedDescriptors, untrustedBos, close };
    const device = new UsbfsDevice({ ...parts, speed: SPEED_NAMES[speed as keyof typeof SPEED_NAMES] });
    await device.claim();
    return device;
  } catch (error) {
    close();
    throw error;
  }
}

/**
 * Reserves a hub's port: no driver binds to what is plugged in there, until the descriptor is closed. Undefined when the
 * kernel does not allow it: then drivers are only taken off what is there now.
 */
function claimPort(libc: Libc, socket: { node: string; port: number }, scratch: Block): number | undefined {
  let hub: number;
  try {
    hub = libc.open(socket.node, O_RDWR);
  } catch {
    return undefined;
  }
  const view = viewOf(scratch);
  view.setUint32(0, socket.port, true);
  const errno = libc.ioctl(hub, UsbfsRequest.claimPort, scratch.address);
  if (errno >= 0) return hub;
  libc.close(hub);
  return undefined;
}

async function readBos(
  control: (request: readonly [number, number, number, number], length: number) => Promise<Uint8Array>,
): Promise<Uint8Array | undefined> {
  const request = [0x80, 6, DescriptorType.bos << 8, 0] as const;
  const head = await control(request, 5);
  const total = head.length === 5 ? head[2]! | (head[3]! << 8) : 0;
  const bos = total >= 5 ? await control(request, total) : head;
  return bos.length >= 5 ? bos : undefined;
}

/** A control request before a guest has the device; empty when it fails. */
async function readControl(libc: Libc, fd: number, scratch: Block, setup: Uint8Array): Promise<Uint8Array> {
  const view = viewOf(scratch);
  const data = PAGE_SIZE;
  const length = Math.min(setup[6]! | (setup[7]! << 8), DESCRIPTOR_BYTES_MAX - data);
  scratch.bytes.set(setup);
  view.setUint32(8, CONTROL_TIMEOUT_MS, true);
  setAddress(view, 16, scratch.address + data);
  const result = await libc.ioctlLater(fd, UsbfsRequest.control, scratch.address);
  return result < 0 ? new Uint8Array(0) : scratch.bytes.slice(data, data + Math.min(result, length));
}

interface DeviceParts {
  readonly libc: Libc;
  readonly fd: number;
  readonly scratch: Block;
  readonly place: UsbfsPlace;
  readonly untrustedDescriptors: Uint8Array;
  readonly untrustedBos: Uint8Array | undefined;
  readonly speed: DeviceSpeed;
  readonly close: () => void;
}

class UsbfsDevice implements LentDevice {
  readonly speed: DeviceSpeed;
  readonly untrustedDescriptors: Uint8Array;
  readonly untrustedBos: Uint8Array | undefined;
  readonly #parts: DeviceParts;
  readonly #urbs: UrbPool;
  readonly #scratchView: DataView;
  #configuration: number;
  #claimed: number[] = [];
  #listener: DeviceListener | undefined;
  #endWait: () => void = () => undefined;
  readonly #early = new EarlyLook();
  /** The next look is one that no event has asked for. */
  #isEarly = false;
  #isReady = false;
  #isGone = false;

  constructor(parts: DeviceParts) {
    this.#parts = parts;
    this.speed = parts.speed;
    this.untrustedDescriptors = parts.untrustedDescriptors;
    this.untrustedBos = parts.untrustedBos;
    this.#configuration = parts.place.configuration;
    this.#urbs = new UrbPool(parts.libc);
    this.#scratchView = viewOf(parts.scratch);
  }

  get configuration(): number {
    return this.#configuration;
  }

  /** Takes every interface of the configuration. @throws {LinuxError} one is held by another program */
  async claim(): Promise<void> {
    const { untrustedDescriptors, place } = this.#parts;
    const current = parseDescriptors(untrustedDescriptors)?.configurations.find(
      ({ value }) => value === this.#configuration,
    );
    const interfaces = new Set(current?.settings.map((one) => one.interface));
    for (const number of interfaces) {
      // struct usbdevfs_disconnect_claim without conditions.
      const errno = await this.#call(UsbfsRequest.disconnectAndClaim, number, 0);
      if (errno < 0) throw linuxError(errno, `taking interface ${number} of ${place.node}`);
      this.#claimed.push(number);
    }
  }

  start(listener: DeviceListener): void {
    this.#listener = listener;
    const { libc, fd } = this.#parts;
    this.#endWait = libc.wait(
      fd,
      { writable: true },
      () => this.#ready(),
      () => this.#lost(),
    );
  }

  #ready(): void {
    this.#isReady = true;
    // Nothing of ours can have ended: it was reaped already, or the device itself has ended.
    const { libc, fd, scratch } = this.#parts;
    const isIdle = this.#urbs.count === 0 && !this.#isGone;
    if (isIdle && libc.ioctl(fd, UsbfsRequest.reapUrbNow, scratch.address) === ENODEV) this.#lost();
    else this.#listener?.ready();
  }

  #lost(): void {
    this.#endWait();
    this.#isGone = true;
    // What it had is there to be reaped, also now.
    this.#isReady = true;
    this.#listener?.ready();
    this.#listener?.gone();
  }

  submit(transfer: Transfer): number {
    if (this.#isGone) return ENODEV;
    if ((transfer.packets?.lengths.length ?? 0) > PACKETS_MAX) return -22;
    const address = this.#urbs.fill(transfer);
    const errno = this.#parts.libc.ioctl(this.#parts.fd, UsbfsRequest.submitUrb, address);
    if (errno < 0) this.#urbs.drop(address);
    else if (!this.#isReady && this.#early.isDue()) {
      this.#isReady = true;
      this.#isEarly = true;
      this.#listener?.ready();
    }
    return Math.min(errno, 0);
  }

  cancel(transfer: Transfer): void {
    const address = this.#urbs.addressOf(transfer);
    // One that has just ended cannot be ended: it is there to be reaped.
    if (address !== undefined) this.#parts.libc.ioctl(this.#parts.fd, UsbfsRequest.discardUrb, address);
  }

  reap(): Transfer | undefined {
    // Without a call as long as nothing can be there.
    if (!this.#isReady || this.#urbs.count === 0) return undefined;
    const { libc, fd, scratch } = this.#parts;
    const errno = libc.ioctl(fd, UsbfsRequest.reapUrbNow, scratch.address);
    if (this.#isEarly) this.#early.looked(errno >= 0);
    this.#isEarly = false;
    if (errno < 0) {
      this.#isReady = errno !== EAGAIN && !this.#isGone && errno !== ENODEV;
      return undefined;
    }
    const address = addressAt(this.#scratchView, 0);
    const transfer = this.#urbs.finish(address);
    // One call less: nothing more can be there.
    if (this.#urbs.count === 0) this.#isReady = false;
    return transfer;
  }

  async setConfiguration(value: number): Promise<number> {
    await this.#release();
    const errno = await this.#call(UsbfsRequest.setConfiguration, value);
    if (errno === 0) this.#configuration = value;
    return (await this.#claimAgain()) || errno;
  }

  setInterface(interfaceNumber: number, setting: number): Promise<number> {
    return this.#call(UsbfsRequest.setInterface, interfaceNumber, setting);
  }

  clearHalt(endpoint: number): Promise<number> {
    return this.#call(UsbfsRequest.clearHalt, endpoint);
  }

  async reset(): Promise<number> {
    // The kernel would take the interfaces from us, and offer them to its own drivers.
    await this.#release();
    const errno = await this.#call(UsbfsRequest.reset);
    return (await this.#claimAgain()) || errno;
  }

  async #release(): Promise<void> {
    for (const number of this.#claimed.splice(0)) await this.#call(UsbfsRequest.releaseInterface, number);
  }

  async #claimAgain(): Promise<number> {
    try {
      await this.claim();
      return 0;
    } catch {
      return ENODEV;
    }
  }

  /** A call that may take long, with up to two numbers. */
  async #call(request: number, ...numbers: readonly number[]): Promise<number> {
    const { libc, fd, scratch } = this.#parts;
    numbers.forEach((number, at) => {
      this.#scratchView.setUint32(4 * at, number, true);
    });
    return Math.min(0, await libc.ioctlLater(fd, request, scratch.address));
  }

  async close(): Promise<void> {
    this.#listener = undefined;
    this.#endWait();
    if (!this.#isGone) await this.#release();
    this.#parts.close();
    this.#urbs.close();
  }
}
