/** Guests that are quiesced, as an inventory knows them. */
import type { QuiescedGuest } from '../../quiesced/index.js';
import { livingGuests } from './find.js';
import type { Domain, Inventory } from './inventory.js';

/** What tells which guest it is. */
interface Named {
  readonly domid: number;
  readonly name?: string | undefined;
  readonly uuid?: string | undefined;
}

/** Whether a domain is the one that was quiesced: by uuid, which a save and restore keeps. */
function isOne(guest: Named, domain: Named): boolean {
  if (guest.uuid !== undefined && domain.uuid !== undefined) return guest.uuid === domain.uuid;
  return guest.name === undefined ? guest.domid === domain.domid : guest.name === domain.name;
}

/** The quiesced guest that a domain is; undefined if it is none. */
export function quiescedAs(
  { quiesced = [] }: Pick<Inventory, 'quiesced'>,
  domain: Named,
): QuiescedGuest | undefined {
  return quiesced.find((guest) => isOne(guest, domain));
}

/** Who is to get nothing by itself: it is quiesced, and was not restored yet. */
export function heldBack(inventory: Pick<Inventory, 'quiesced'>, domain: Named): QuiescedGuest | undefined {
  const guest = quiescedAs(inventory, domain);
  return guest?.isIncomplete ? undefined : guest;
}

/** The live guests that were quiesced under a token: one, none, or several that cannot be distinguished. */
export function quiescedDomains(inventory: Pick<Inventory, 'domains'>, guest: QuiescedGuest): Domain[] {
  const guests = livingGuests(inventory);
  const same = guests.filter(({ uuid }) => uuid !== undefined && uuid === guest.uuid);
  if (same.length > 0) return same;
  // Built anew from its configuration, it may have another uuid.
  return guest.name === undefined ? [] : guests.filter(({ name }) => name === guest.name);
}
