/** A world: what a simulated host is made of. Plain data, read from an inventory or from a hand-written file. */
import { z } from 'zod';
import type { DeviceSpec, DriverSpec } from '../kernel/index.js';
import { fromInventory } from './inventory.js';
import { inventorySchema, type ShortWorld, shortSchema } from './schema.js';
import { fromShort } from './short.js';

/** A domain of a world. */
export interface WorldDomain {
  /** 1 and up: domain 0 is always there. */
  readonly domid: number;
  readonly name: string;
  readonly type: 'pv' | 'pvh' | 'hvm';
  /** False: only the toolstack's record of it is left. */
  readonly alive: boolean;
  /** False: its kernel has no PVUSB frontend driver. */
  readonly driver: boolean;
  /** A seed: the guest rewrites its own nodes at random. */
  readonly hostile?: number;
  /** True: a QEMU serves it. An HVM guest has one in any case. */
  readonly deviceModel?: boolean;
  /** `/vm/<uuid>`; made of the domid when absent. */
  readonly uuid?: string;
}

/** A controller of a world, with all that stands in xenstore for it. */
export interface WorldController {
  readonly domid: number;
  readonly devid: number;
  /** As in the record's `type`: `pv`, `qusb`, `devicemodel` or something unheard of. */
  readonly type: string;
  /** `usb-ver`. */
  readonly version: number;
  /** `num-ports`. */
  readonly portCount: number;
  readonly backendDomid: number;
  /** The record's `backend`, when it is not what libxl writes. */
  readonly backend?: string;
  /** The record's `frontend`, when it is not what libxl writes. */
  readonly frontend?: string;
  /** The backend's xenbus state; absent: its directory is gone. */
  readonly backendState?: number;
  readonly online: boolean;
  /** The frontend's xenbus state; absent: there is none. */
  readonly frontendState?: number;
  readonly eventChannel?: number;
  readonly urbRingRef?: number;
  readonly connRingRef?: number;
  /** What stands in the port nodes that are not empty, also beyond `portCount`. */
  readonly ports: ReadonlyMap<number, string>;
}

/** What `/libxl/usbback/<busid>/<interface>` holds. */
export interface WorldSavedDriver {
  readonly busid: string;
  readonly interface: string;
  readonly driver: string;
}

/** What a simulated host is made of. */
export interface World {
  /** True when dom0's kernel has the in-kernel backend. */
  readonly usbback: boolean;
  /** Hubs before what is behind them. */
  readonly devices: readonly DeviceSpec[];
  /** In the order they register; `usbback` is not among them. */
  readonly drivers: readonly DriverSpec[];
  readonly domains: readonly WorldDomain[];
  readonly controllers: readonly WorldController[];
  readonly savedDrivers: readonly WorldSavedDriver[];
  /** Devices in a port that QEMU serves, which it did not take: they keep the drivers they have. None when absent. */
  readonly notOpened?: readonly string[];
  /** Backend directories (with a slash at the front) that no record points to. */
  readonly orphanBackends: readonly {
    readonly domid: number;
    readonly devid: number;
    readonly backend: string;
  }[];
}

/** Longest text taken by {@link parseWorldText}, in UTF-16 units. */
export const WORLD_TEXT_MAX = 16 * 1024 * 1024;

/** The text is no world: one sentence that names the first wrong field. */
export class WorldError extends Error {
  override readonly name = 'WorldError';
  /** The field, as `devices[3].busid`; empty for the whole. */
  readonly field: string;

  constructor(field: string, problem: string) {
    super(`${field === '' ? 'The world' : `The world's ${field}`} ${problem}.`);
    this.field = field;
  }
}

/** Checks a parsed JSON value of either format and completes it. @throws {WorldError} and nothing else */
export function parseWorld(untrusted: unknown): World {
  const format = z.object({ format: z.unknown() }).safeParse(untrusted);
  const name = format.success ? format.data.format : undefined;
  const fault = (field: string, problem: string) => new WorldError(field, problem);
  if (name === 'pvusb-inventory-1') return fromInventory(checked(inventorySchema, untrusted), fault);
  if (name === 'pvusb-world-1') return fromShort(checked(shortSchema, untrusted), fault);
  throw new WorldError(format.success ? 'format' : '', 'is neither pvusb-world-1 nor pvusb-inventory-1');
}

/** Parses JSON of either format. @throws {WorldError} and nothing else */
export function parseWorldText(untrustedText: string): World {
  if (untrustedText.length > WORLD_TEXT_MAX)
    throw new WorldError('', `is longer than ${WORLD_TEXT_MAX} characters`);
  let value: unknown;
  try {
    value = JSON.parse(untrustedText);
  } catch {
    throw new WorldError('', 'is not JSON');
  }
  return parseWorld(value);
}

/** Completes a hand-written world: for worlds written as TypeScript. @throws {WorldError} */
export function shortWorld(world: Omit<z.input<typeof shortSchema>, 'format'>): World {
  return parseWorld({ format: 'pvusb-world-1', ...world });
}

function checked<T>(schema: z.ZodType<T>, untrusted: unknown): T {
  const result = schema.safeParse(untrusted);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = z.core.toDotPath(issue?.path ?? []);
  const problem = (issue?.message ?? 'is wrong').replace(/^Invalid input: /, 'is wrong: ');
  throw new WorldError(field.slice(0, 200), problem.slice(0, 200).replace(/\.$/, ''));
}

export type { ShortWorld };
