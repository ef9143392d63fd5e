/** What domains, controllers and ports are called in everything that people read, in one place. */
import { escapeText } from '../../sysfs/text.js';
import type { Domain, Inventory } from './inventory.js';
import type { ControllerId } from './layout.js';

/** Where the names of domains are looked up. */
export type Named = Pick<Inventory, 'domains'>;

/** A port of a controller, as an inventory has them. */
interface PlaceId {
  readonly controller: ControllerId;
  readonly port: { readonly port: number };
}

/** Names that need no quotation marks, and are not mistaken for a number. */
const PLAIN_NAME = /^(?!\d+$)[\w.:+-]+$/;

/**
 * A domain as its user knows it: `u1 (domain 3)`, with `"my guest"` for a name of several words, or `domain 3` if it has
 * no name; domain 0 is always that. `first` is the word that starts a sentence about one without a name. Safe to print.
 */
export function labelDomain(
  { domid, name: untrustedName = '' }: Pick<Domain, 'domid'> & { readonly name?: string | undefined },
  first: 'domain' | 'Domain' = 'domain',
): string {
  if (untrustedName === '' || domid === 0) return `${first} ${domid}`;
  const name = PLAIN_NAME.test(untrustedName) ? untrustedName : `"${escapeText(untrustedName)}"`;
  return `${name} (domain ${domid})`;
}

/** The label of the domain with this number. */
export function nameDomain({ domains }: Named, domid: number, first?: 'Domain'): string {
  return labelDomain(domains.find((domain) => domain.domid === domid) ?? { domid }, first);
}

/** `1 port`, `8 ports`. */
export function countPorts(count: number): string {
  return `${count} port${count === 1 ? '' : 's'}`;
}

/** `controller 0 of u1 (domain 3)`. */
export function nameController(named: Named, { domid, devid }: ControllerId): string {
  return `controller ${devid} of ${nameDomain(named, domid)}`;
}

/** `port 1 of controller 0 of u1 (domain 3)`. */
export function namePort(named: Named, at: ControllerId & { readonly port: number }): string {
  return `port ${at.port} of ${nameController(named, at)}`;
}

/** The same of a place in an inventory. */
export function namePlace(named: Named, { controller, port }: PlaceId): string {
  return namePort(named, { domid: controller.domid, devid: controller.devid, port: port.port });
}

/** Capitalises the first letter, as in a sentence. */
export function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
