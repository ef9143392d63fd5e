/** A guest's USB core and drivers on top of its host controller driver: enumeration, and the transfers of drivers. */
import { TransferType } from '../../usbif/layout.js';
import { SimHcd } from './hcd.js';
import type { Flight, GuestResult } from './urb.js';

/** `EREMOTEIO`: a flagged URB was short, which the USB core finds out. */
const SHORT = -121;

/** `ESHUTDOWN`. */
const SHUTDOWN = -108;

/** A device as a guest has enumerated it. */
export interface GuestDevice {
  readonly port: number;
  readonly speed: number;
  readonly address: number;
  readonly device: Uint8Array;
  readonly configuration: Uint8Array;
}

/** A request failed. */
export class GuestUsbError extends Error {
  override readonly name = 'GuestUsbError';
  /** Of the URB: 0 or a negative errno. */
  readonly status: number;

  constructor(what: string, status: number) {
    super(`${what}: status ${status}`);
    this.status = status;
  }
}

/** A simulated guest with one PVUSB controller. */
export class SimUsbGuest {
  readonly hcd: SimHcd;
  /** What is plugged in, by port; its speed. */
  readonly plugged = new Map<number, number>();
  /** All that was plugged in and out, in order: speed 0 is out. */
  readonly plugs: { readonly port: number; readonly speed: number }[] = [];
  #nextAddress = 1;
  #wakers: (() => void)[] = [];

  constructor(portCount = 8) {
    this.hcd = new SimHcd(portCount);
    this.hcd.onPlug((port, speed) => {
      this.plugs.push({ port, speed });
      if (speed === 0) this.plugged.delete(port);
      else this.plugged.set(port, speed);
      for (const wake of this.#wakers.splice(0)) wake();
    });
  }

  /** Resolves when a port has something in it, or nothing. */
  async waitFor(port: number, isThere: boolean): Promise<void> {
    while (this.plugged.has(port) !== isThere) {
      await new Promise<void>((resolve) => this.#wakers.push(resolve));
    }
  }

  /** A control transfer without an exception for what went wrong. */
  tryControl(
    { port, address }: { readonly port: number; readonly address: number },
    setup: readonly [requestType: number, request: number, value: number, index: number],
    data: Uint8Array | number = 0,
  ): Promise<GuestResult & { readonly data: Uint8Array }> {
    const [requestType, request, value, index] = setup;
    const buffer = typeof data === 'number' ? new Uint8Array(data) : data;
    const bytes = new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    view.setUint8(0, requestType);
    view.setUint8(1, request);
    view.setUint16(2, value, true);
    view.setUint16(4, index, true);
    view.setUint16(6, buffer.length, true);
    const flight = this.hcd.submit({
      port,
      address,
      endpoint: 0,
      input: (requestType & 0x80) !== 0,
      type: TransferType.control,
      data: buffer,
      setup: bytes,
      offset: 40,
    });
    return flight.done.then((result) => ({ ...result, data: buffer.subarray(0, result.actualLength) }));
  }

  /** A control transfer; the bytes that came. */
  async control(
    device: { readonly port: number; readonly address: number },
    setup: readonly [requestType: number, request: number, value: number, index: number],
    data: Uint8Array | number = 0,
  ): Promise<Uint8Array> {
    const result = await this.tryControl(device, setup, data);
    if (result.status !== 0) throw new GuestUsbError(`control request ${setup.join(' ')}`, result.status);
    return result.data;
  }

  /** What a hub driver does with a new device, or with one that it resets. */
  async enumerate(port: number, address = this.#nextAddress++): Promise<GuestDevice> {
    const speed = this.plugged.get(port);
    if (speed === undefined) throw new GuestUsbError(`port ${port} is empty`, SHUTDOWN);
    const first = await this.control({ port, address: 0 }, [0x80, 6, 0x100, 0], 64);
    const packetBytes = first[7]!;
    if (![8, 16, 32, 64].includes(packetBytes)) throw new GuestUsbError(`packet size ${packetBytes}`, 0);
    await this.control({ port, address: 0 }, [0, 5, address, 0]);
    const at = { port, address };
    const device = await this.control(at, [0x80, 6, 0x100, 0], 18);
    const head = await this.control(at, [0x80, 6, 0x200, 0], 9);
    const total = head[2]! | (head[3]! << 8);
    const configuration = await this.control(at, [0x80, 6, 0x200, 0], total);
    await this.control(at, [0, 9, configuration[5]!, 0]);
    return { port, speed, address, device, configuration };
  }

  /** Starts a bulk or interrupt URB. */
  start(
    { port, address }: GuestDevice,
    endpoint: number,
    data: Uint8Array,
    options: { readonly shortNotOk?: boolean; readonly type?: TransferType; readonly offset?: number } = {},
  ): Flight {
    return this.hcd.submit({
      port,
      address,
      endpoint: endpoint & 0xf,
      input: (endpoint & 0x80) !== 0,
      type: options.type ?? TransferType.bulk,
      data,
      shortNotOk: options.shortNotOk ?? false,
      offset: options.offset ?? 0,
    });
  }

  /** A bulk transfer of one URB; the bytes moved. */
  async bulk(device: GuestDevice, endpoint: number, data: Uint8Array): Promise<number> {
    const { status, actualLength } = await this.start(device, endpoint, data).done;
    if (status !== 0) throw new GuestUsbError(`bulk transfer at ${endpoint.toString(16)}`, status);
    return actualLength;
  }

  /**
   * A scattered bulk transfer as the USB core makes it: one URB for each piece, flagged for input; the first that is
   * short or fails ends those behind it.
   */
  async scattered(device: GuestDevice, endpoint: number, pieces: readonly Uint8Array[]): Promise<number> {
    const isInput = (endpoint & 0x80) !== 0;
    const flights = pieces.map((data, at) =>
      this.start(device, endpoint, data, { shortNotOk: isInput && at < pieces.length - 1 }),
    );
    let [total, failed] = [0, 0];
    await Promise.all(
      flights.map(async ({ done }, at) => {
        const { status, actualLength } = await done;
        const isShort = isInput && at < pieces.length - 1 && actualLength < pieces[at]!.length;
        total += actualLength;
        const own = status !== 0 ? status : isShort ? SHORT : 0;
        if (own === 0 || failed !== 0) return;
        failed = own;
        for (const later of flights.slice(at + 1)) later.unlink();
      }),
    );
    if (failed !== 0 && failed !== SHORT) throw new GuestUsbError('scattered transfer', failed);
    return total;
  }
}
