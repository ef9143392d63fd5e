/** The permissions of a node, and what they permit (`xenstore.txt: Permissions`). */
import type { Permission } from '../../xenstore/permissions.js';

/** Who asks: a domain, and the domain it stands in for by SET_TARGET. */
export interface Actor {
  readonly domid: number;
  readonly target?: number | undefined;
}

/** An entry as the daemon stores it. */
export interface KeptPermission extends Permission {
  /**
   * True when the entry gives nothing: its domain did not exist when it was set, or has died since. It is still shown,
   * but does not apply to a later domain with that number (`XS_PERM_IGNORE`).
   */
  readonly isVoid?: boolean;
}

/** What a request wants to do with a node. */
export type Need = 'read' | 'write' | 'own';

/** True when `actor` has `need` under `permissions`: domain 0 and the owner may do everything. */
export function allows(permissions: readonly KeptPermission[], actor: Actor, need: Need): boolean {
  const is = (domid: number): boolean => domid === actor.domid || domid === actor.target;
  const first = permissions[0]!;
  if (actor.domid === 0 || is(first.domid)) return true;
  if (need === 'own') return false;
  let access = first.access;
  for (let at = 1; at < permissions.length; at += 1) {
    if (is(permissions[at]!.domid) && !permissions[at]!.isVoid) {
      access = permissions[at]!.access;
      break;
    }
  }
  return access === 'both' || access === need;
}

/** `permissions` with every entry voided that gives something to a domain for which `isGone` holds. */
export function voidEntries(
  permissions: readonly KeptPermission[],
  isGone: (domid: number) => boolean,
): readonly KeptPermission[] {
  const isLost = ({ domid, isVoid }: KeptPermission, at: number): boolean =>
    at > 0 && !isVoid && isGone(domid);
  if (!permissions.some(isLost)) return permissions;
  return permissions.map((entry, at) => (isLost(entry, at) ? { ...entry, isVoid: true } : entry));
}
