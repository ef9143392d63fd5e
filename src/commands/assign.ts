/** Makes rules: what `assign` does. */
import {
  type Domain,
  type DomainName,
  findDevice,
  findDomain,
  type Host,
  type Inventory,
  PvusbError,
} from '../pvusb/index.js';
import {
  EVERY_GUEST,
  formatRule,
  type Identity,
  linesOf,
  type Mode,
  NAMED_BY,
  type NamedBy,
  parseRules,
  suggestIdentity,
  withRule,
} from '../rules/index.js';
import { type Busid, describeDevice, type UsbDevice } from '../sysfs/index.js';
import { changeRules, MAIN, observeRules, type RuleOptions } from './rule-file.js';

/** A rule that was added, or would be. */
export interface AddedRule {
  readonly rule: string;
  /** What identifies its device. */
  readonly by: readonly NamedBy[];
  /** The device it was made for; absent: it was given as a line. */
  readonly busid?: Busid | undefined;
  /** False: it existed already. */
  readonly added: boolean;
}

/** What a rule is made of. */
interface AssignRequest {
  readonly domain: DomainName;
  readonly device: string;
  readonly mode: Mode;
  readonly by?: readonly NamedBy[] | undefined;
  /** All devices that are alike, not one of them. */
  readonly every?: boolean | undefined;
  readonly devid?: number | undefined;
  readonly port?: number | undefined;
  /** The guest is named by its uuid. */
  readonly uuid?: boolean | undefined;
}

/**
 * Makes a rule for a plugged-in device and adds it to the file.
 *
 * @throws {PvusbError} `no-such-device`, `no-such-domain`, `is-hub`, `invalid-argument`, `rules-invalid`...
 */
export async function assign(host: Host, request: AssignRequest, options: RuleOptions): Promise<AddedRule> {
  const { inventory } = await observeRules(host, options);
  const device = findDevice(inventory, request.device);
  const guest = guestWord(inventory, request.domain, request);
  const made = makeRule(inventory, device, { ...request, guest });
  return { ...made, busid: device.busid, added: await add(host, inventory, made.rule, options) };
}

/** What a rule has for each of the words that name a device. */
const PARTS: Readonly<Record<NamedBy, keyof Identity>> = {
  serial: 'serial',
  socket: 'socket',
  id: 'ids',
  interface: 'interfaces',
  hash: 'hash',
  behind: 'behind',
};

/**
 * Adds a rule as `unassign` has told the one that it removed: what undoes that, whether or not its device and its
 * guest are there.
 *
 * @throws {PvusbError} `invalid-argument`: it is not one rule; `rules-invalid`...
 */
export async function assignLine(
  host: Host,
  untrustedLine: string,
  options: RuleOptions,
): Promise<AddedRule> {
  const { rules, problems } = parseRules([{ path: MAIN, text: untrustedLine }]);
  const [rule] = rules;
  if (!rule || problems.length > 0 || linesOf(untrustedLine).length > 1)
    throw new PvusbError('invalid-argument', problems[0]?.message ?? 'That is not one line with a rule.');
  const { inventory } = await observeRules(host, options);
  return {
    rule: untrustedLine,
    by: NAMED_BY.filter((one) => rule.identity[PARTS[one]] !== undefined),
    added: await add(host, inventory, untrustedLine, options),
  };
}

/** Adds a line, unless it is there: whether it was added, or would be. */
async function add(
  host: Host,
  { ruleFiles = [] }: Inventory,
  line: string,
  { dryRun }: RuleOptions,
): Promise<boolean> {
  if (ruleFiles.some(({ text }) => linesOf(text).includes(line))) return false;
  if (!dryRun) await changeRules(host, (text) => withRule(text, line));
  return true;
}

/**
 * The rule for a plugged-in device.
 *
 * @throws {PvusbError} `invalid-argument`: the device does not have what it is to be named by
 */
function makeRule(
  inventory: Inventory,
  device: UsbDevice,
  request: AssignRequest & { readonly guest: string },
): Pick<AddedRule, 'rule' | 'by'> {
  const { mode, guest, by, every = false, devid, port } = request;
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
      `${busid} has no ${by?.join(' or ') ?? 'socket'} to identify it by.`,
      {
        where: { busid },
      },
    );
  const rule = formatRule({
    mode,
    guest,
    identity: suggestion.identity,
    every,
    ...(devid === undefined ? {} : { devid }),
    ...(port === undefined ? {} : { port }),
    name: describeDevice(device),
  });
  // What is written is read again: a rule that would be refused is refused now.
  const [problem] = parseRules([{ path: MAIN, text: rule }]).problems;
  if (problem) throw new PvusbError('invalid-argument', `${problem.message} The rule would be: ${rule}`);
  return { rule, by: suggestion.by };
}

/** The word for a guest: its name where it has one. */
function guestWord(
  inventory: Inventory,
  name: DomainName,
  { mode, uuid }: Pick<AssignRequest, 'mode' | 'uuid'>,
): string {
  if (name === EVERY_GUEST && mode === 'deny') return EVERY_GUEST;
  const domain: Domain = findDomain(inventory, name);
  if (domain.domid === 0)
    throw new PvusbError('invalid-argument', 'Domain 0 has every device that no guest has.');
  const word = uuid ? domain.uuid : (domain.name ?? domain.uuid);
  if (word !== undefined) return word;
  throw new PvusbError(
    'invalid-argument',
    `Domain ${domain.domid} has no ${uuid ? 'uuid' : 'name and no uuid'} to identify it by.`,
    {
      where: { domid: domain.domid },
    },
  );
}
