/** `pvusb assign` and `pvusb unassign`: rules made and removed. */
import {
  type Domain,
  findDevice,
  findDomain,
  type Host,
  type Inventory,
  observe,
  PvusbError,
  rulesOf,
} from '../../pvusb/index.js';
import {
  EVERY_GUEST,
  formatPlace,
  formatRule,
  isGuest,
  linesOf,
  type Mode,
  mismatch,
  NAMED_BY,
  type NamedBy,
  parseRules,
  type Rule,
  socketsOf,
  suggestIdentity,
  withoutLine,
  withRule,
} from '../../rules/index.js';
import { type Busid, describeDevice, printable, type UsbDevice } from '../../sysfs/index.js';
import { type CommonOptions, printJson, withHost } from '../context.js';
import { usageError } from '../report.js';
import type { Terminal } from '../terminal.js';
import { parseDevid, parsePort } from '../xl/grammar.js';

/** The file that commands change. */
const MAIN = 'assignments.conf';

/** Options of `assign`. */
export interface AssignOptions extends CommonOptions {
  readonly by?: string;
  readonly ask?: boolean;
  readonly required?: boolean;
  readonly deny?: boolean;
  readonly every?: boolean;
  readonly controller?: string;
  readonly port?: string;
  readonly uuid?: boolean;
}

const BY_WORDS: Readonly<Record<NamedBy, string>> = {
  serial: 'its serial number',
  socket: 'its socket',
  id: 'its ids',
  interface: 'its interfaces',
  hash: 'its hash',
  behind: 'its place behind this hub',
};

/** Writes a rule. */
export async function runAssign(
  terminal: Terminal,
  args: { readonly domain: string; readonly device: string },
  options: AssignOptions,
): Promise<void> {
  const by = options.by === undefined ? undefined : parseBy(options.by);
  const request = { ...options, by, mode: modeOf(options) };
  await withHost(terminal, options, async (host) => {
    const added = await assign(terminal, host, args, request);
    if (options.json) printJson(terminal, added);
    else terminal.out(describeAdded(added, options));
  });
}

/** A rule that was added, or would be. */
export interface AddedRule {
  readonly rule: string;
  /** What its device is named by. */
  readonly by: readonly NamedBy[];
  readonly busid: Busid;
  /** False: it existed already, or this is a dry run. */
  readonly added: boolean;
}

/** Makes a rule for a plugged-in device and adds it to the file. */
export async function assign(
  terminal: Terminal,
  host: Host,
  args: { readonly domain: string; readonly device: string },
  request: Omit<RuleRequest, 'guest'> & Pick<AssignOptions, 'uuid' | 'dryRun'>,
): Promise<AddedRule> {
  const inventory = await observe(host, { signal: terminal.signal, rules: true, details: true });
  rulesOf(inventory);
  const device = findDevice(inventory, args.device);
  const made = makeRule(inventory, device, { ...request, guest: guestWord(inventory, args.domain, request) });
  const isThere = inventory.ruleFiles?.some(({ text }) => linesOf(text).includes(made.rule)) ?? false;
  const added = !request.dryRun && !isThere;
  if (added) await requireRules(host).change(MAIN, (text) => withRule(text, made.rule));
  return { ...made, busid: device.busid, added };
}

/** The rule, whether it was added, and by what it names its device. */
export function describeAdded({ rule, by, busid, added }: AddedRule, { dryRun }: CommonOptions): string {
  const named = `${busid} is named by ${by.map((key) => BY_WORDS[key]).join(' and ')}`;
  const done = added ? 'Added' : dryRun ? 'Nothing was written (--dry-run)' : 'That rule exists already';
  return `${printable(rule)}\n${done}; ${named}.\n`;
}

/** What a rule is made of beside its device. */
interface RuleRequest extends Pick<AssignOptions, 'every' | 'controller' | 'port'> {
  readonly mode: Mode;
  readonly guest: string;
  readonly by?: readonly NamedBy[] | undefined;
}

/**
 * The rule for a plugged-in device.
 *
 * @throws {PvusbError} `invalid-argument`: the device does not have what it is to be named by
 */
function makeRule(
  inventory: Inventory,
  device: UsbDevice,
  request: RuleRequest,
): Pick<AddedRule, 'rule' | 'by'> {
  const { mode, guest, by, every = false, controller, port } = request;
  const { busid, kind } = device;
  const isHub = kind !== 'device';
  if (isHub && !by?.includes('behind'))
    throw new PvusbError('is-hub', `${busid} is a hub: "--by behind" names what is behind it.`, {
      where: { busid },
    });
  const suggestion = suggestIdentity(inventory.devices, device, by);
  if (!suggestion)
    throw new PvusbError(
      'invalid-argument',
      `${busid} has no ${by?.join(' or ') ?? 'socket'} to be named by.`,
      {
        where: { busid },
      },
    );
  const rule = formatRule({
    mode,
    guest,
    identity: suggestion.identity,
    every,
    ...(controller === undefined ? {} : { devid: parseDevid(controller) }),
    ...(port === undefined ? {} : { port: parsePort(port) }),
    name: describeDevice(device),
  });
  // What is written is read again: a rule that would be refused is refused now.
  const [problem] = parseRules([{ path: MAIN, text: rule }]).problems;
  if (problem) throw new PvusbError('invalid-argument', `${problem.message} The rule would be: ${rule}`);
  return { rule, by: suggestion.by };
}

function requireRules(host: Host): NonNullable<Host['rules']> {
  if (host.rules) return host.rules;
  throw new PvusbError('rules-denied', 'This host has no folder of rules.');
}

function modeOf({ ask, required, deny }: AssignOptions): Mode {
  const asked = (['ask', 'required', 'deny'] as const).filter((mode) => ({ ask, required, deny })[mode]);
  if (asked.length > 1)
    throw usageError(`Only one of --${asked.join(' and --')} can be said.`, 'pvusb assign');
  return asked[0] ?? 'auto';
}

function parseBy(text: string): readonly NamedBy[] {
  return text.split(',').map((key) => {
    const known = NAMED_BY.find((one) => one === key);
    if (known) return known;
    throw usageError(`--by takes ${NAMED_BY.join(', ')}, not "${key}".`, 'pvusb assign');
  });
}

/** The word for a guest: its name where it has one. */
function guestWord(
  inventory: Inventory,
  name: string,
  { mode, uuid }: Pick<RuleRequest, 'mode'> & Pick<AssignOptions, 'uuid'>,
): string {
  if (name === EVERY_GUEST && mode === 'deny') return EVERY_GUEST;
  const domain: Domain = findDomain(inventory, name);
  if (domain.domid === 0)
    throw new PvusbError('invalid-argument', 'Domain 0 has every device that no guest has.');
  const word = uuid ? domain.uuid : (domain.name ?? domain.uuid);
  if (word !== undefined) return word;
  throw new PvusbError(
    'invalid-argument',
    `Domain ${domain.domid} has no ${uuid ? 'uuid' : 'name and no uuid'} to be named by.`,
    {
      where: { domid: domain.domid },
    },
  );
}

/** Removes rules: one by its place, or a guest's rules about a device. */
export async function runUnassign(
  terminal: Terminal,
  names: readonly string[],
  options: CommonOptions,
): Promise<void> {
  const [first, second] = names;
  if (names.length > 2)
    throw usageError(
      'unassign takes a rule ("assignments.conf:3"), or a guest and a device.',
      'pvusb unassign',
    );
  await withHost(terminal, options, async (host, { signal }) => {
    const inventory = await observe(host, { signal, rules: true, details: true });
    const rules = rulesOf(inventory);
    const removed =
      second === undefined
        ? [ruleAt(rules, first!)]
        : rulesAbout(inventory, rules, { guest: first!, device: second });
    const lines = removed.map((rule) => lineOf(inventory, rule));
    if (!options.dryRun) await removeLines(host, removed, lines);
    if (options.json) {
      printJson(terminal, { removed: options.dryRun ? [] : lines, rules: lines });
      return;
    }
    const done = options.dryRun ? 'Nothing was written (--dry-run)' : 'Removed';
    terminal.out(`${lines.map((line) => `${printable(line)}\n`).join('')}${done}.\n`);
  });
}

function ruleAt(rules: readonly Rule[], name: string): Rule {
  const [, file = MAIN, line] = /^(?:(.+?):)??(\d+)(?::\d+)?$/.exec(name) ?? [];
  if (line === undefined)
    throw usageError(
      `${JSON.stringify(name)} is not the place of a rule: places are like assignments.conf:3.`,
      'pvusb unassign',
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
  await requireRules(host).change(MAIN, (text) => {
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
