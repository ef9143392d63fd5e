/** Removes rules: what `unassign` does. */
import { findDevice, type Host, type Inventory, PvusbError } from '../pvusb/index.js';
import {
  formatPlace,
  isGuest,
  linesOf,
  mismatch,
  type Rule,
  socketsOf,
  withoutLine,
} from '../rules/index.js';
import { changeRules, MAIN, observeRules, type RuleOptions } from './rule-file.js';

/** Which rules are removed: the one in a line (`assignments.conf:3`), or those about a guest and a device. */
type UnassignRequest = { readonly rule: string } | { readonly domain: string; readonly device: string };

/** What was removed. */
export interface RemovedRules {
  /** Empty in a dry run. */
  readonly removed: readonly string[];
  /** The lines that were removed, or would be. */
  readonly rules: readonly string[];
}

/**
 * Removes rules.
 *
 * @throws {PvusbError} `no-such-rule`, `no-such-device`, `invalid-argument`, `rules-invalid`, `conflict`...
 */
export async function unassign(
  host: Host,
  request: UnassignRequest,
  options: RuleOptions,
): Promise<RemovedRules> {
  const { inventory, rules } = await observeRules(host, options);
  const removed =
    'rule' in request
      ? [ruleAt(rules, request.rule)]
      : rulesAbout(inventory, rules, { guest: request.domain, device: request.device });
  const lines = removed.map((rule) => lineOf(inventory, rule));
  if (!options.dryRun) await removeLines(host, removed, lines);
  return { removed: options.dryRun ? [] : lines, rules: lines };
}

function ruleAt(rules: readonly Rule[], name: string): Rule {
  const [, file = MAIN, line] = /^(?:(.+?):)??(\d+)(?::\d+)?$/.exec(name) ?? [];
  if (line === undefined)
    throw new PvusbError(
      'invalid-argument',
      `${JSON.stringify(name)} is not a rule: name one by file and line, as in assignments.conf:3.`,
      { remedy: 'See "pvusb unassign --help".' },
    );
  const rule = rules.find(({ place }) => place.file === file && place.line === Number(line));
  if (!rule) throw new PvusbError('no-such-rule', `There is no rule in line ${line} of ${file}.`);
  requireMain(rule);
  return rule;
}

function rulesAbout(
  inventory: Inventory,
  rules: readonly Rule[],
  { guest, device }: { readonly guest: string; readonly device: string },
): readonly Rule[] {
  const found = findDevice(inventory, device);
  const subject = { device: found, socket: socketsOf(inventory.devices).get(found.busid)! };
  const domain = inventory.domains.find(({ name, domid }) => name === guest || String(domid) === guest) ?? {
    name: guest,
  };
  const about = rules.filter((rule) => {
    const isFor = rule.guest === guest || isGuest(rule.guest, domain);
    return isFor && mismatch(rule, subject) === undefined;
  });
  const own = about.filter(({ place }) => place.file === MAIN);
  if (own.length > 0) return own;
  const [elsewhere] = about;
  if (elsewhere) requireMain(elsewhere);
  throw new PvusbError('no-such-rule', `No rule is about ${found.busid} and ${JSON.stringify(guest)}.`, {
    where: { busid: found.busid },
  });
}

function requireMain({ place }: Rule): void {
  if (place.file === MAIN) return;
  throw new PvusbError(
    'invalid-argument',
    `${formatPlace(place)} is in a file that pvusb does not change: edit it by hand.`,
  );
}

function lineOf({ ruleFiles = [] }: Inventory, { place }: Rule): string {
  const file = ruleFiles.find(({ path }) => path === place.file);
  return linesOf(file?.text ?? '')[place.line - 1] ?? '';
}

/** The last line first: the others keep their numbers. */
async function removeLines(host: Host, rules: readonly Rule[], lines: readonly string[]): Promise<void> {
  const numbers = rules.map(({ place }) => place.line);
  await changeRules(host, (text) => {
    let left = text;
    for (let at = numbers.length - 1; at >= 0; at--) {
      const without = withoutLine(left, numbers[at]!, lines[at]!);
      if (without === undefined)
        throw new PvusbError('conflict', `Another program has changed line ${numbers[at]} of ${MAIN}.`);
      left = without;
    }
    return left;
  });
}
