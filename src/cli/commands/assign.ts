/** `pvusb assign` and `pvusb unassign`: rules made and removed. */
import { type AddedRule, assign, unassign } from '../../commands/index.js';
import { type Mode, NAMED_BY, type NamedBy } from '../../rules/index.js';
import { printable } from '../../sysfs/index.js';
import { act } from '../act.js';
import { type CommonOptions, printJson } from '../context.js';
import { orWords, quoteWord } from '../printable.js';
import { usageError } from '../report.js';
import type { Terminal } from '../terminal.js';
import { parseDevid, parsePort } from '../xl/grammar.js';

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
  const { every, uuid, controller, port } = options;
  const by = options.by === undefined ? undefined : parseBy(options.by);
  const mode = modeOf(options);
  const at = {
    devid: controller === undefined ? undefined : parseDevid(controller),
    port: port === undefined ? undefined : parsePort(port),
  };
  const request = { ...args, ...at, by, mode, every, uuid };
  const added = await act(terminal, options, {
    here: (host, { signal, dryRun }) => assign(host, request, { signal, dryRun }),
    there: async (daemon, asked, call) => (await daemon.assign({ ...request, ...asked }, call)).result,
  });
  if (options.json) printJson(terminal, added);
  else terminal.out(describeAdded(added, options));
}

/** The rule, whether it was added, and by what it names its device. */
export function describeAdded({ rule, by, busid, added }: AddedRule, { dryRun }: CommonOptions): string {
  const named = `${busid ?? 'its device'} is named by ${by.map((key) => BY_WORDS[key]).join(' and ')}`;
  const done = !added ? 'That rule exists already' : dryRun ? 'Nothing was written (--dry-run)' : 'Added';
  return `${printable(rule)}\n${done}; ${named}.\n`;
}

function modeOf({ ask, required, deny }: AssignOptions): Mode {
  const asked = (['ask', 'required', 'deny'] as const).filter((mode) => ({ ask, required, deny })[mode]);
  if (asked.length > 1)
    throw usageError(`Only one of --${asked.join(' and --')} can be given.`, 'pvusb assign');
  return asked[0] ?? 'auto';
}

function parseBy(text: string): readonly NamedBy[] {
  return text.split(',').map((key) => {
    const known = NAMED_BY.find((one) => one === key);
    if (known) return known;
    throw usageError(`--by takes ${orWords(NAMED_BY)}, not ${quoteWord(key)}.`, 'pvusb assign');
  });
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
  const request = second === undefined ? { rule: first! } : { domain: first!, device: second };
  const { removed, rules } = await act(terminal, options, {
    here: (host, { signal, dryRun }) => unassign(host, request, { signal, dryRun }),
    there: async (daemon, asked, call) => (await daemon.unassign({ ...request, ...asked }, call)).result,
  });
  if (options.json) return printJson(terminal, { removed, rules });
  const done = options.dryRun ? 'Nothing was written (--dry-run)' : 'Removed';
  terminal.out(`${rules.map((line) => `${printable(line)}\n`).join('')}${done}.\n`);
}
