/** The file of rules that commands change, and what they know when they do. */
import {
  type Host,
  type Inventory,
  type OperationOptions,
  observe,
  PvusbError,
  rulesOf,
} from '../pvusb/index.js';
import type { Rule } from '../rules/index.js';

/** The file that commands change. */
export const MAIN = 'assignments.conf';

/** Options of what changes it. */
export type RuleOptions = Pick<OperationOptions, 'signal' | 'dryRun'>;

/** The host with its rules. @throws {PvusbError} `rules-invalid`... */
export async function observeRules(
  host: Host,
  { signal }: RuleOptions,
): Promise<{ inventory: Inventory; rules: readonly Rule[] }> {
  const inventory = await observe(host, { signal, rules: true, details: true });
  return { inventory, rules: rulesOf(inventory) };
}

/** Changes the file. @throws {PvusbError} `rules-denied`: there is none */
export async function changeRules(host: Host, change: (text: string) => string): Promise<void> {
  if (!host.rules) throw new PvusbError('rules-denied', 'This host has no rules directory.');
  await host.rules.change(MAIN, change);
}
