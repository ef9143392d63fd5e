/** Reads worlds: an inventory, or a hand-written file. */
import { z } from 'zod';
import { fromInventory } from './inventory.js';
import { inventorySchema, shortSchema } from './schema.js';
import { fromShort } from './short.js';
import type { World } from './world.js';

/** Longest text accepted by {@link parseWorldText}, in UTF-16 units. */
export const WORLD_TEXT_MAX = 16 * 1024 * 1024;

/** The text is not a world: one sentence that names the first wrong field. */
export class WorldError extends Error {
  override readonly name = 'WorldError';
  /** The field, such as `devices[3].busid`; empty for the whole. */
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
