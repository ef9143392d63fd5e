/** What happens to a simulated host from outside while it runs: devices come and go, guests and QEMUs die. */
import { z } from 'zod';
import { type DeviceSpec, isBehind, isDeviceName } from '../kernel/index.js';
import { parseWorldText, WorldError } from '../world/parse.js';
import type { SimHost } from './host.js';

/**
 * What is asked of a running host: plug in a device that it has or had, or one of a world's text, in its socket or
 * another; pull one out, with all behind it; end a guest (see {@link SimHost.killDomain}); kill a guest's QEMU.
 */
export type ControlRequest =
  | {
      readonly does: 'plug';
      readonly device: string;
      readonly into?: string | undefined;
      readonly world?: string | undefined;
    }
  | { readonly does: 'unplug'; readonly device: string }
  | {
      readonly does: 'kill-guest';
      readonly domain: string;
      readonly leaveRecords?: boolean | undefined;
    }
  | { readonly does: 'kill-qemu'; readonly domain: string };

const requestSchema: z.ZodType<ControlRequest> = z.discriminatedUnion('does', [
  z.strictObject({
    does: z.literal('plug'),
    device: z.string(),
    into: z.string().optional(),
    world: z.string().optional(),
  }),
  z.strictObject({ does: z.literal('unplug'), device: z.string() }),
  z.strictObject({
    does: z.literal('kill-guest'),
    domain: z.string(),
    leaveRecords: z.boolean().optional(),
  }),
  z.strictObject({ does: z.literal('kill-qemu'), domain: z.string() }),
]);

/** What was done. */
export interface ControlResult {
  /** The devices that were plugged in or pulled out. */
  readonly busids?: readonly string[];
  /** The guest. */
  readonly domid?: number;
}

/** The host cannot do what was asked. */
export class ControlError extends Error {
  override readonly name = 'ControlError';
  readonly code: 'no-such-device' | 'no-such-domain' | 'refused';

  constructor(code: ControlError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** Does to a host what is asked. */
export class HostControl {
  readonly #host: SimHost;
  /** Every device that the host has or had, by its socket. */
  readonly #known: Map<string, DeviceSpec>;
  /** What was behind a hub when it was pulled out, the nearest first. */
  readonly #behind = new Map<string, readonly DeviceSpec[]>();

  constructor(host: SimHost) {
    this.#host = host;
    this.#known = new Map(host.usb.devices.map(({ busid, spec }) => [busid, spec]));
  }

  /**
   * Does it and lets everything settle.
   *
   * @throws {ControlError} nothing was changed
   */
  async perform(untrusted: unknown): Promise<ControlResult> {
    const checked = requestSchema.safeParse(untrusted);
    if (!checked.success) throw new ControlError('refused', 'That is no request to a simulated host.');
    const result = await this.#perform(checked.data);
    await this.#host.idle();
    return result;
  }

  #perform(request: ControlRequest): Promise<ControlResult> {
    switch (request.does) {
      case 'plug':
        return this.#plug(request);
      case 'unplug':
        return this.#unplug(request.device);
      case 'kill-guest':
        return this.#killGuest(request.domain, request.leaveRecords ?? false);
      case 'kill-qemu':
        return this.#killQemu(request.domain);
    }
  }

  async #plug({ device, into = device, world }: ControlRequest & { does: 'plug' }): Promise<ControlResult> {
    if (!isDeviceName(into)) throw new ControlError('no-such-device', `There is no socket "${into}".`);
    const spec = world === undefined ? this.#known.get(device) : specIn(world, device);
    if (!spec) {
      const where = world === undefined ? 'The host never had' : 'The file has';
      throw new ControlError(
        'no-such-device',
        `${where} ${world === undefined ? 'a' : 'no'} device "${device}".`,
      );
    }
    // It comes with what was behind it.
    const behind = world === undefined ? (this.#behind.get(device) ?? []) : [];
    const busids: string[] = [];
    for (const one of [spec, ...behind]) {
      const busid = `${into}${one.busid.slice(device.length)}`;
      await this.#plugOne({ ...(world === undefined ? freshly(one) : one), busid });
      busids.push(busid);
    }
    return { busids };
  }

  async #plugOne(spec: DeviceSpec): Promise<void> {
    try {
      await this.#host.plug(spec);
    } catch (error) {
      // A taken socket, a missing hub.
      throw new ControlError('refused', `${spec.busid} cannot be plugged in: ${(error as Error).message}.`);
    }
    this.#known.set(spec.busid, spec);
  }

  async #unplug(busid: string): Promise<ControlResult> {
    const behind = this.#host.usb.devices.filter((device) => isBehind(device.busid, busid));
    if (!(await this.#host.unplug(busid)))
      throw new ControlError('no-such-device', `No device "${busid}" is plugged in.`);
    const nearest = behind
      .map(({ spec }) => spec)
      .sort((a, b) => Number(isBehind(a.busid, b.busid)) - Number(isBehind(b.busid, a.busid)));
    this.#behind.set(busid, nearest);
    return { busids: [busid, ...nearest.map((spec) => spec.busid)] };
  }

  async #killGuest(name: string, leaveRecords: boolean): Promise<ControlResult> {
    const domid = await this.#find(name);
    await this.#host.killDomain(domid, { leaveRecords });
    return { domid };
  }

  async #killQemu(name: string): Promise<ControlResult> {
    const domid = await this.#find(name);
    const qemu = this.#host.qemus.get(domid);
    if (!qemu) throw new ControlError('refused', `Domain ${name} has no QEMU.`);
    if (!qemu.alive) throw new ControlError('refused', `The QEMU of domain ${name} is already dead.`);
    await qemu.kill();
    return { domid };
  }

  /** A guest that is alive, by its number or its name. */
  async #find(name: string): Promise<number> {
    const dom0 = this.#host.store.handle(0);
    for (const domid of this.#host.guests.keys()) {
      if (String(domid) === name) return domid;
      if (!/^\d+$/.test(name) && (await dom0.read(`/local/domain/${domid}/name`)) === name) return domid;
    }
    throw new ControlError('no-such-domain', `There is no guest "${name}".`);
  }
}

/** Plugged in anew, a device gets another address, and the kernel looks for its drivers. */
function freshly({ address: _, interfaces, ...rest }: DeviceSpec): DeviceSpec {
  return { ...rest, interfaces: interfaces.map(({ driver: __, ...intf }) => intf) };
}

function specIn(world: string, device: string): DeviceSpec | undefined {
  try {
    return parseWorldText(world).devices.find(({ busid }) => busid === device);
  } catch (error) {
    if (error instanceof WorldError) throw new ControlError('refused', error.message);
    throw error;
  }
}
