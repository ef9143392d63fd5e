/** Whether a rule keeps a device from a guest. Pure. */
import { denial, EVERY_GUEST, formatPlace } from '../../rules/index.js';
import type { UsbDevice } from '../../sysfs/device.js';
import { PvusbError } from '../model/errors.js';
import type { Domain, Inventory } from '../model/inventory.js';
import { decisionOn, decisionsOf } from '../model/rules.js';
import { labelDomain } from '../model/wording.js';

/**
 * Why the rules do not let a guest have a device, or any guest if none is named; undefined when they do.
 *
 * @throws {PvusbError} `rules-invalid`
 */
export function denialProblem(
  inventory: Inventory,
  device: UsbDevice,
  domain?: Domain,
): PvusbError | undefined {
  const { ruleFiles = [] } = inventory;
  if (ruleFiles.length === 0) return undefined;
  const decision = decisionOn(decisionsOf(inventory), device);
  const rule = decision && denial(decision, domain ?? {});
  if (!rule) return undefined;
  const { busid } = device;
  const whom = rule.guest === EVERY_GUEST || !domain ? 'every guest' : labelDomain(domain);
  return new PvusbError('denied-by-rule', `${formatPlace(rule.place)} denies ${busid} to ${whom}.`, {
    where: { domid: domain?.domid, busid },
  });
}
