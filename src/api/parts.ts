/** What schemas are made of, and the names under which they are described. */
import { z } from 'zod';
import { CONTROLLER_TYPES } from '../libxl/controller-type.js';
import type { VirtualName } from '../pvusb/index.js';
import type { Busid, DriverName, InterfaceId } from '../sysfs/index.js';

/** A schema that the description of the API refers to by name. */
interface Named {
  readonly schema: z.ZodType;
  readonly description: string;
}

/** All of them, by name. */
export const NAMED = new Map<string, Named>();

/** Gives a schema a name in the description of the API, and a sentence about it. */
export function named<T>(id: string, description: string, schema: z.ZodType<T>): z.ZodType<T> {
  NAMED.set(id, { schema, description });
  return schema;
}

// An answer's text may have any length and any characters: what shows it escapes it.

/** A device's name in sysfs, `4-1`. */
export const busid = z.string() as unknown as z.ZodType<Busid>;
/** The name of a virtual device, `keyboard`. */
export const virtualName = z.string() as unknown as z.ZodType<VirtualName>;
/** An interface's name in sysfs, `4-1:1.0`. */
export const interfaceId = z.string() as unknown as z.ZodType<InterfaceId>;
/** A driver's name in sysfs. */
export const driverName = z.string() as unknown as z.ZodType<DriverName>;
/** A whole number that is not negative. */
export const count = z.int().min(0);
/** Where something is: the domain's number, the controller's. */
export const at = { domid: count, devid: count };
/** A type of controller. */
export const controllerType = z.enum(CONTROLLER_TYPES);
