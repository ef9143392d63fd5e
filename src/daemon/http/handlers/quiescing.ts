/** Guests without their devices for a while. */
import { restoredJson } from '../../../commands/index.js';
import {
  forgetQuiesced,
  type Host,
  type Inventory,
  listQuiesced,
  observe,
  type QuiescedGuest,
  quiesceDomain,
  restoreDomain,
} from '../../../pvusb/index.js';
import { requireTouch, type Touched, touchedByRemove, touchedByRestore } from '../access.js';
import { change, type Handler } from '../ask.js';

type QuiescingName = 'quiesce' | 'restore' | 'forget';

/** Answers them. */
export const QUIESCING: { readonly [Name in QuiescingName]: Handler<Name> } = {
  quiesce(ask) {
    const { domain, controllers } = ask.request;
    const touches = (seen: Inventory): Touched => touchedByRemove(seen, { domain });
    return change(ask, { what: 'quiesce', touches }, async (host, options) => {
      const { plans, ...result } = await quiesceDomain(host, { domain, controllers }, options);
      return { plans, result };
    });
  },
  async restore(ask) {
    const guest = await ask.parts.service.reading((host) => guestNamed(host, ask.request.token));
    const touches = (seen: Inventory): Touched => touchedByRestore(seen, guest);
    return change(ask, { what: 'restore', touches }, async (host, options) => {
      const { plans, ...result } = restoredJson(
        await restoreDomain(host, guest?.token ?? ask.request.token, options),
      );
      return { plans, result };
    });
  },
  forget(ask) {
    const { actor, signal } = ask;
    return change(ask, { what: 'restore --forget' }, async (host, { dryRun }) => {
      const guest = await guestNamed(host, ask.request.token);
      const seen = await observe(host, { signal, details: true });
      requireTouch(actor, seen, (inventory) => touchedByRestore(inventory, guest));
      return { plans: [], result: await forgetQuiesced(host, guest?.token ?? ask.request.token, { dryRun }) };
    });
  },
};

/** By its token or its name; the operation says what is wrong where it is not one. */
async function guestNamed(host: Host, token: string): Promise<QuiescedGuest | undefined> {
  const guests = await listQuiesced(host);
  const named = guests.filter(({ name }) => name === token);
  return guests.find((guest) => guest.token === token) ?? (named.length === 1 ? named[0] : undefined);
}
