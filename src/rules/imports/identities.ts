/** Identities as sets of devices: whether two have devices in common, which are in both. */
import { prefixOf } from '../match.js';
import type { Identity } from '../rule.js';

/** What is said about devices, and of which kind its interfaces are: all that they have, or one of them. */
export interface Described {
  readonly identity: Identity;
  /** As in a rule that denies: a device has one of the interfaces. Otherwise it has no others. */
  readonly isAny: boolean;
}

/** Whether there can be a device that both are about. */
export function canMeet(one: Described, other: Described): boolean {
  const [a, b] = [one.identity, other.identity];
  if (a.serial !== undefined && b.serial !== undefined && a.serial !== b.serial) return false;
  if (a.hash !== undefined && b.hash !== undefined && a.hash !== b.hash) return false;
  if (a.ids !== undefined && b.ids !== undefined && narrowerIds(a.ids, b.ids) === undefined) return false;
  // Of two that only want one of their interfaces, a device can have both.
  if (one.isAny && other.isAny) return true;
  return (
    a.interfaces === undefined ||
    b.interfaces === undefined ||
    commonPatterns(a.interfaces, b.interfaces).length > 0
  );
}

/** Whether every device that `inner` is about is one that `outer` is about. */
export function covers(outer: Described, inner: Described, isPerInterface: boolean): boolean {
  const [a, b] = [outer.identity, inner.identity];
  if (a.serial !== undefined && a.serial !== b.serial) return false;
  if (a.hash !== undefined && a.hash !== b.hash) return false;
  if (a.ids !== undefined && (b.ids === undefined || narrowerIds(a.ids, b.ids) !== b.ids)) return false;
  if (a.interfaces === undefined) return true;
  // One of its interfaces may be known, and others not.
  if (!isPerInterface && inner.isAny && !outer.isAny) return false;
  const outers = a.interfaces.map(prefixOf);
  return (
    b.interfaces?.every((pattern) => outers.some((prefix) => prefixOf(pattern).startsWith(prefix))) ?? false
  );
}

/**
 * What a rule that denies has to say to be about all devices that both are about, and about none that `denied` is not.
 * `denied` wants one of its interfaces, `given` no others than its own.
 */
export function meetOf(denied: Identity, given: Identity): Identity {
  const { ids: a, interfaces: some } = denied;
  const { ids: b, interfaces: all } = given;
  const ids = a === undefined || b === undefined ? (a ?? b) : narrowerIds(a, b);
  // A device with one of `some`, and nothing but `all`, has one that is in both.
  const interfaces = some === undefined || all === undefined ? (some ?? all) : commonPatterns(some, all);
  return {
    ...denied,
    ...given,
    ...(ids === undefined ? {} : { ids }),
    ...(interfaces === undefined ? {} : { interfaces }),
  };
}

/** The narrower of two ids, `046d:*` and `046d:c52b`; undefined when no device has both. */
export function narrowerIds(one: string, other: string): string | undefined {
  if (one === other) return one;
  if (one.slice(0, 5) !== other.slice(0, 5)) return undefined;
  if (one.endsWith('*')) return other;
  return other.endsWith('*') ? one : undefined;
}

function commonPatterns(ones: readonly string[], others: readonly string[]): string[] {
  const common = ones.flatMap((one) =>
    others.flatMap((other) => {
      const [a, b] = [prefixOf(one), prefixOf(other)];
      if (b.startsWith(a)) return other;
      return a.startsWith(b) ? one : [];
    }),
  );
  return [...new Set(common)];
}
