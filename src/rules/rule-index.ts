/** Rules by what they say of a device, so that a device is compared only with those that can be about it. */
import { type Subject, specificity } from './match.js';
import type { Identity, Rule } from './rule.js';

/** A rule and its place in the order of specificity. */
interface Ranked {
  readonly rule: Rule;
  /** The most specific first; of equals, in the order of the files. */
  readonly order: number;
}

/** Rules that were put in order once. */
export class RuleIndex {
  readonly #byKey = new Map<string, Ranked[]>();

  constructor(rules: readonly Rule[]) {
    const ranked = rules
      .map((rule) => ({ rule, rank: specificity(rule.identity) }))
      .sort((one, other) => other.rank - one.rank);
    for (const [order, { rule }] of ranked.entries()) {
      const key = keyOf(rule.identity);
      const alike = this.#byKey.get(key);
      if (alike) alike.push({ rule, order });
      else this.#byKey.set(key, [{ rule, order }]);
    }
  }

  /** The rules that can be about a device, in order: all that are, and some that are not. */
  candidates({ device, socket }: Subject): Ranked[] {
    const { hash, serial, vendorId, productId } = device;
    const keys = [
      ...(hash === undefined ? [] : [`hash ${hash}`]),
      `serial ${serial?.trim() ?? ''}`,
      `socket ${socket}`,
      `id ${vendorId}:${productId}`,
      `id ${vendorId}:*`,
      '',
    ];
    return keys.flatMap((key) => this.#byKey.get(key) ?? []).sort((one, other) => one.order - other.order);
  }
}

/** Something that a device must have for the rule to be about it; empty if the rule names nothing of the kind. */
function keyOf({ hash, serial, socket, ids }: Identity): string {
  if (hash !== undefined) return `hash ${hash}`;
  if (serial !== undefined) return `serial ${serial}`;
  if (socket !== undefined) return `socket ${socket}`;
  return ids === undefined ? '' : `id ${ids}`;
}
