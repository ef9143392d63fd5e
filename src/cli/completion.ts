/** What may come next on a command line: what `pvusb complete` prints for the shells' scripts. */
import type { Command, Option } from 'commander';
import { CONTROLLER_TRAITS, type Inventory, listQuiesced, observe } from '../pvusb/index.js';
import { printable } from '../sysfs/index.js';
import {
  describeDomains,
  describeFree,
  describeLent,
  describePlugged,
  type Offer,
} from './completion-offers.js';
import { COMPLETION_SCRIPTS } from './completion-scripts.js';
import { withHost } from './context.js';
import { JSON_LIBXL, XENSTORE_RELEASES } from './options.js';
import { orWords, quoteWord } from './printable.js';
import { usageError } from './report.js';
import type { Terminal } from './terminal.js';
import { isXlCommand } from './xl/commands.js';

/** What is expected somewhere: words, or what the shell knows better. */
type Kind =
  | 'command'
  | 'domain'
  | 'free device'
  | 'lent device'
  | 'plugged device'
  | 'type'
  | 'shell'
  | 'format'
  | 'mode'
  | 'token'
  | 'request'
  | 'libxl'
  | 'xenstore'
  | 'file'
  | 'folder';

/** Where on a command line the next word is. */
interface Place {
  readonly command: Command;
  /** How many arguments of the command come before it. */
  readonly at: number;
  /** The option that takes it as a value. */
  readonly option?: Option | undefined;
  /** After "--" nothing is an option. */
  readonly isPastOptions: boolean;
}

const TYPES: readonly Offer[] = [
  { value: 'auto', description: 'as libxl chooses' },
  ...CONTROLLER_TRAITS.map(({ type, summary }) => ({ value: type, description: summary })),
];

/** What options expect, by their long names. */
const OPTION_KINDS: Readonly<Record<string, Kind>> = {
  '--domain': 'domain',
  '--guest': 'domain',
  '--mode': 'mode',
  '--type': 'type',
  '--token-file': 'file',
  '--ca': 'file',
  '--world': 'file',
  '--file': 'file',
  '--dir': 'folder',
  '--sysfs-root': 'folder',
  '--json': 'libxl',
  '--xenstore': 'xenstore',
};

/** What arguments expect, by their names. */
const ARGUMENT_KINDS: Readonly<Record<string, Kind>> = {
  domain: 'domain',
  file: 'file',
  shell: 'shell',
  token: 'token',
  id: 'request',
  format: 'format',
};

/** Which devices commands expect that do not take one to lend. */
const DEVICE_KINDS: Readonly<Record<string, Kind>> = { detach: 'lent device', unplug: 'plugged device' };

/** How long a completion waits for the host at most. */
const WITHIN_MS = 1500;

/** Prints the script of a shell. */
export function runCompletion(terminal: Terminal, shell: string): void {
  const script = COMPLETION_SCRIPTS.get(shell);
  if (script === undefined) {
    const shells = orWords([...COMPLETION_SCRIPTS.keys()]);
    throw usageError(`completion takes ${shells}, not ${quoteWord(shell)}.`, 'pvusb completion');
  }
  terminal.out(script);
}

/** Runs `complete -- WORD... CURRENT`: prints what may replace the last word, one per line (completion-scripts.ts). */
export async function runComplete(
  terminal: Terminal,
  program: Command,
  argv: readonly string[],
): Promise<void> {
  const words = argv.slice(argv[0] === '--' ? 1 : 0);
  const untrustedCurrent = words.at(-1) ?? '';
  const place = placeAfter(program, words.slice(0, -1));
  const [, flag, rest] = /^(--[\w-]+)=(.*)$/s.exec(untrustedCurrent) ?? [];
  if (flag !== undefined && !place.option && !place.isPastOptions) {
    const option = place.command.options.find(({ long }) => long === flag);
    const kind = option && optionKind(place.command, option);
    if (kind) await offer(terminal, place.command, kind, rest!, `${flag}=`);
  } else if (untrustedCurrent.startsWith('-') && !place.option && !place.isPastOptions) {
    print(terminal, describeOptions(place.command), untrustedCurrent);
  } else {
    const kind = place.option ? optionKind(place.command, place.option) : argumentKind(place);
    if (kind) await offer(terminal, place.command, kind, untrustedCurrent);
  }
}

/** Reads the words before the next one to find out where it is. */
function placeAfter(program: Command, words: readonly string[]): Place {
  let command = program;
  let at = 0;
  let option: Option | undefined;
  let isPastOptions = false;
  for (const word of words) {
    if (option) option = undefined;
    else if (word === '--') isPastOptions = true;
    else if (word.startsWith('-') && word !== '-' && !isPastOptions) {
      option = command.options.find(({ short, long, required }) => required && [short, long].includes(word));
    } else {
      const sub = at === 0 ? command.commands.find((candidate) => candidate.name() === word) : undefined;
      if (sub) command = sub;
      else at += 1;
    }
  }
  return { command, at, option, isPastOptions };
}

function optionKind(command: Command, { long, required }: Option): Kind | undefined {
  const kind = OPTION_KINDS[long ?? ''];
  if (required || kind !== 'libxl') return kind;
  return command.options.some((other) => other.long === JSON_LIBXL) ? kind : undefined;
}

function argumentKind({ command, at }: Place): Kind | undefined {
  // "help", which is not in the parser's list, takes commands.
  if (command.commands.length > 0) return at === 0 || (!command.parent && at === 1) ? 'command' : undefined;
  if (isXlCommand(command.name())) return at === 0 ? 'domain' : undefined;
  const { registeredArguments } = command;
  const last = registeredArguments.at(-1);
  const name = (registeredArguments[at] ?? (last?.variadic ? last : undefined))?.name();
  if (name === 'device') return DEVICE_KINDS[command.name()] ?? 'free device';
  return ARGUMENT_KINDS[name ?? ''];
}

/** Offers what is expected in a place, each word with `before` in front of it. */
async function offer(
  terminal: Terminal,
  command: Command,
  kind: Kind,
  untrustedTyped: string,
  before = '',
): Promise<void> {
  if (kind === 'file' || kind === 'folder') return terminal.out(`:${kind}s\n`);
  print(terminal, await offersOf(terminal, command, kind), untrustedTyped, before);
}

async function offersOf(terminal: Terminal, command: Command, kind: Kind): Promise<readonly Offer[]> {
  switch (kind) {
    case 'command':
      return describeCommands(command);
    case 'type':
      return TYPES;
    case 'libxl':
      return [{ value: 'libxl', description: 'in the form of "xl list -l"' }];
    case 'xenstore':
      return Object.entries(XENSTORE_RELEASES).map(([value, description]) => ({ value, description }));
    case 'format':
      return [
        { value: 'usbguard', description: "USBGuard's rules.conf" },
        { value: 'xapi', description: "XAPI's usb-policy.conf" },
      ];
    case 'mode':
      return [
        { value: 'ask', description: 'on approval' },
        { value: 'auto', description: 'automatically' },
      ];
    case 'token':
      return observeTokens(terminal);
    case 'request':
      return askForRequests(terminal);
    case 'shell':
      return [...COMPLETION_SCRIPTS.keys()].map((value) => ({
        value,
        description: `the script of ${value}`,
      }));
    case 'domain':
      return observeOffers(terminal, describeDomains);
    case 'free device':
      return observeOffers(terminal, describeFree);
    case 'lent device':
      return observeOffers(terminal, describeLent);
    case 'plugged device':
      return observeOffers(terminal, describePlugged);
    default:
      return [];
  }
}

/** What begins as typed; quotes are the shell's. */
function print(terminal: Terminal, offers: readonly Offer[], untrustedTyped: string, before = ''): void {
  const typed = untrustedTyped.replace(/^["']/, '').replace(/\\(.)/gs, '$1');
  for (const { value, description } of offers) {
    if (!value.startsWith(typed)) continue;
    const [line] = description.split('\n');
    terminal.out(`${before}${value}\t${printable(line!)}\n`);
  }
}

function describeCommands(command: Command): Offer[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((sub) => ({ value: sub.name(), description: sub.summary() || sub.description() }));
}

function describeOptions(command: Command): Offer[] {
  const options = command.createHelp().visibleOptions(command);
  return options.map(({ long, short, description }) => ({ value: (long ?? short)!, description }));
}

/** A shell is waiting for this: when the host cannot be asked, nothing is offered and nothing is printed. */
async function asking(
  terminal: Terminal,
  body: (host: Parameters<typeof observe>[0], signal: AbortSignal) => Promise<readonly Offer[]>,
): Promise<readonly Offer[]> {
  const signal = AbortSignal.timeout(WITHIN_MS);
  try {
    return await withHost({ ...terminal, signal }, {}, (host) => body(host, signal));
  } catch {
    return [];
  }
}

function observeOffers(
  terminal: Terminal,
  describe: (inventory: Inventory) => Offer[],
): Promise<readonly Offer[]> {
  return asking(terminal, async (host, signal) => {
    const inventory = await observe(host, { signal });
    return describe(inventory);
  });
}

async function askForRequests(terminal: Terminal): Promise<readonly Offer[]> {
  try {
    const { daemonOf } = await import('./remote/address.js');
    const requests = await daemonOf(terminal).requests({}, { signal: AbortSignal.timeout(WITHIN_MS) });
    return requests.map(({ id, busid, domid, guest = `domain ${domid}` }) => ({
      value: printable(id),
      description: `${busid} for ${guest}`,
    }));
  } catch {
    return [];
  }
}

function observeTokens(terminal: Terminal): Promise<readonly Offer[]> {
  return asking(terminal, async (host) =>
    (await listQuiesced(host)).map(({ token, name, domid }) => ({
      value: token,
      description: `what ${name ?? `domain ${domid}`} had`,
    })),
  );
}
