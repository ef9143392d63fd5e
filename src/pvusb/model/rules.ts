/** The rules of an inventory, and what they decide about its devices. */
import { type Decision, decide, formatPlace, type Guest, parseRules, type Rule } from '../../rules/index.js';
import type { UsbDevice } from '../../sysfs/device.js';
import { PvusbError } from './errors.js';
import { livingGuests } from './find.js';
import type { Domain, Inventory } from './inventory.js';

/**
 * The rules; none if they were not read.
 *
 * @throws {PvusbError} `rules-invalid`: a line cannot be read, and might have denied something
 */
export function rulesOf({ ruleFiles = [] }: Pick<Inventory, 'ruleFiles'>): readonly Rule[] {
  const { rules, problems } = parseRules(ruleFiles);
  const [problem] = problems;
  if (problem) throw new PvusbError('rules-invalid', `${formatPlace(problem)}: ${problem.message}`);
  return rules;
}

/** An inventory never changes: what is decided about all its devices is not decided anew for each of them. */
const DECIDED = new WeakMap<object, readonly Decision[]>();

/**
 * What the rules say about every device.
 *
 * @throws {PvusbError} `rules-invalid`
 */
export function decisionsOf(
  inventory: Pick<Inventory, 'ruleFiles' | 'devices' | 'domains'>,
): readonly Decision[] {
  const known = DECIDED.get(inventory);
  if (known) return known;
  const decisions = decide(rulesOf(inventory), inventory.devices, livingGuests(inventory));
  DECIDED.set(inventory, decisions);
  return decisions;
}

/** The decision about a device; undefined for a hub. */
export function decisionOn(decisions: readonly Decision[], { busid }: UsbDevice): Decision | undefined {
  return decisions.find(({ device }) => device.busid === busid);
}

/** The living guest that a rule's word means; undefined when there is none. */
export function guestMeant(
  inventory: Pick<Inventory, 'domains'>,
  isMeant: (guest: Guest) => boolean,
): Domain | undefined {
  return livingGuests(inventory).find(isMeant);
}
