/** `pvusb explain`: which rules apply to a device, and why. */
import {
  attachProblem,
  decisionsOf,
  denialProblem,
  findDevice,
  findDomain,
  type Host,
  type Inventory,
  observe,
  openRuleFiles,
  rulesOf,
  systemClock,
} from '../../pvusb/index.js';
import {
  classesOf,
  type Decision,
  doubtsAbout,
  EVERY_GUEST,
  formatPlace,
  formatRule,
  type Identity,
  isGuest,
  mismatch,
  type Rule,
  specificity,
} from '../../rules/index.js';
import { describeDevice, printable, type UsbDevice } from '../../sysfs/index.js';
import { type CommonOptions, printJson, withHost } from '../context.js';
import { formatTable } from '../table.js';
import type { Terminal } from '../terminal.js';
import { describeGuests } from '../wording.js';

/** Options of the command. */
export interface ExplainOptions extends CommonOptions {
  readonly host?: string;
  readonly rules?: string;
}

/** What a rule has to do with a device. */
interface Part {
  readonly rule: Rule;
  readonly outcome: string;
}

/** Runs the command. */
export async function runExplain(
  terminal: Terminal,
  args: { readonly device: string; readonly domain?: string | undefined },
  options: ExplainOptions,
): Promise<void> {
  await withExplained(terminal, options, (inventory) => {
    const device = findDevice(inventory, args.device);
    const domain = args.domain === undefined ? undefined : findDomain(inventory, args.domain);
    const decision = decisionsOf(inventory).find((one) => one.device.busid === device.busid);
    const parts = decision ? partsOf(inventory, decision, domain) : [];
    const verdict = describeVerdict(inventory, device, decision);
    const problem = attachProblem(inventory, device) ?? denialProblem(inventory, device, domain);
    if (options.json) {
      const rules = parts.map(({ rule, outcome }) => ({ ...rule.place, rule: formatRule(rule), outcome }));
      printJson(terminal, {
        device: device.busid,
        socket: decision?.socket,
        verdict: decision?.verdict.verdict ?? 'none',
        sentence: verdict,
        problem: problem && { code: problem.code, message: problem.message },
        rules,
      });
      return;
    }
    const socket = decision ? `, socket ${decision.socket}` : '';
    terminal.out(`${device.busid}: ${describeDevice(device)}${socket}\n${printable(verdict)}\n`);
    const holder = describeGuests(inventory, device);
    if (holder !== undefined) terminal.out(`${holder} has it now.\n`);
    else if (problem) terminal.out(`It cannot be attached: ${printable(problem.message)}\n`);
    if (parts.length > 0) terminal.out(`\n${formatParts(parts, terminal.columns)}`);
  });
}

/** This host, or a recorded one; with its rules or those of a folder. */
async function withExplained(
  terminal: Terminal,
  options: ExplainOptions,
  body: (inventory: Inventory) => void,
): Promise<void> {
  const look = async (host: Host): Promise<void> => {
    const rules = options.rules === undefined ? host.rules : openRuleFiles(options.rules, systemClock);
    body(
      await observe(
        { ...host, ...(rules ? { rules } : {}) },
        { signal: terminal.signal, rules: true, details: true, uses: 'all' },
      ),
    );
  };
  if (options.host === undefined) return withHost(terminal, options, look);
  const { readWorld } = await import('./sim.js');
  const { simulatedHost } = await import('../../testing/index.js');
  await using host = await simulatedHost(await readWorld(options.host));
  await look(host);
}

function partsOf(
  inventory: Inventory,
  decision: Decision,
  domain: Inventory['domains'][number] | undefined,
): Part[] {
  const rules = rulesOf(inventory);
  const doubts = new Map(doubtsAbout(rules).map((doubt) => [formatPlace(doubt), doubt.message]));
  const noted = (rule: Rule, outcome: string): Part => {
    const doubt = doubts.get(formatPlace(rule.place));
    return { rule, outcome: doubt === undefined ? outcome : `${outcome} (${doubt.replace(/\.$/, '')})` };
  };
  const about = decision.matching.map((rule) => noted(rule, outcomeOf(rule, decision)));
  const rest = rules
    .filter((rule) => domain !== undefined && (rule.guest === EVERY_GUEST || isGuest(rule.guest, domain)))
    .flatMap((rule): Part[] => {
      const key = mismatch(rule, decision);
      return key === undefined ? [] : [noted(rule, `not this device: ${describeMismatch(key, decision)}`)];
    });
  return [...about, ...rest];
}

function isAt({ place: one }: Rule, { place: other }: Rule): boolean {
  return one.file === other.file && one.line === other.line;
}

function outcomeOf(rule: Rule, { verdict, matching }: Decision): string {
  switch (verdict.verdict) {
    case 'assigned':
      if (isAt(verdict.rule, rule)) return 'wins';
      if (verdict.beside.some((one) => isAt(one, rule))) return 'says the same';
      if (rule.mode === 'deny') return 'less specific, or for another guest';
      return specificity(rule.identity) < specificity(verdict.rule.identity) ? 'less specific' : 'denied';
    case 'denied':
      return isAt(verdict.by, rule) ? 'denies' : rule.mode === 'deny' ? 'denies too' : 'denied';
    case 'tied':
      return verdict.rules.some((one) => isAt(one, rule)) ? 'tied' : 'less specific';
    case 'ambiguous':
      return isAt(verdict.rule, rule) ? 'ambiguous' : 'less specific';
    case 'none':
      return matching.length === 0 ? '' : 'gives nothing';
  }
}

const MISMATCHES: Readonly<Record<keyof Identity, string>> = {
  ids: 'its ids',
  serial: 'its serial number',
  socket: 'its socket',
  behind: 'where it is plugged in',
  interfaces: 'its interfaces',
  hash: 'its hash',
};

function describeMismatch(key: keyof Identity, { device, socket }: Decision): string {
  const values: Readonly<Record<keyof Identity, string>> = {
    ids: `${device.vendorId}:${device.productId}`,
    serial: device.serial === undefined ? 'none' : JSON.stringify(device.serial),
    socket,
    behind: socket,
    interfaces: [...classesOf(device)].join(' ') || 'none',
    hash: device.hash ?? 'none',
  };
  return `${MISMATCHES[key]} (${values[key]})`;
}

function describeVerdict(inventory: Inventory, { busid }: UsbDevice, decision: Decision | undefined): string {
  if (!decision) return `${busid} is a hub: rules are about what is behind it.`;
  const { verdict } = decision;
  switch (verdict.verdict) {
    case 'none':
      return inventory.ruleFiles?.length ? `No rule is about ${busid}.` : 'There are no rules.';
    case 'denied':
      return `${formatPlace(verdict.by.place)} denies it.`;
    case 'assigned':
      return `It is for ${verdict.rule.guest} (${verdict.rule.mode}), by ${formatPlace(verdict.rule.place)}.`;
    case 'tied':
      return `Nobody gets it: ${verdict.rules.map(({ place }) => formatPlace(place)).join(' and ')} are equally specific and want different things.`;
    case 'ambiguous':
      return `Nobody gets it: ${formatPlace(verdict.rule.place)} is about one device, and ${verdict.alike.join(' and ')} are alike. Name one by its socket, or say "every".`;
  }
}

function formatParts(parts: readonly Part[], columns: number | undefined): string {
  const cells = (cell: (part: Part) => string) => ({ cells: parts.map(cell) });
  return formatTable(
    [
      { title: 'RULE', ...cells(({ rule }) => `${rule.place.file}:${rule.place.line}`) },
      { title: 'SAYS', ...cells(({ rule }) => printable(formatRule(rule))), narrowest: 20 },
      { title: 'OUTCOME', ...cells(({ outcome }) => printable(outcome)) },
    ],
    columns,
  );
}
