/** The man page pvusb(1), made from the commands themselves. */
import { type Command, Option } from 'commander';
import { type ErrorGroup, EXIT_STATUS } from '../pvusb/index.js';
import { ENVIRONMENT, EXAMPLES, FILES } from './man-lists.js';
import { DRY_RUN, JSON_OPTION, sysfsRoot } from './options.js';
import { UNWRITTEN_STATUS } from './output.js';
import { buildProgram } from './program.js';
import { bold, formatHelp, list, NO_HYPHENS, prose, roff, usage, verbatim } from './roff.js';
import { CONTROLLER_STATES, PORT_STATES, XENBUS_STATES } from './states.js';
import type { Terminal } from './terminal.js';
import { isXlCommand } from './xl/commands.js';

export { formatManDocument, MAN_DOCUMENTS } from './man-document.js';

/** What the page is made of beside the program. */
export interface ManPageParts {
  readonly version: string;
  /** Of the sources: `2026-11-28`. */
  readonly date: string;
  /** The text of docs/errors.md, which has the causes. */
  readonly errors: string;
}

/** Formats the manual in roff (`man(7)`). */
export function formatManPage({ version, date, errors }: ManPageParts): string {
  const program = buildProgram(SILENT);
  const own = program.commands.filter((command) => !isXlCommand(command.name()) && command.name() !== 'help');
  const xl = program.commands.filter((command) => isXlCommand(command.name()));
  return [
    `.TH PVUSB 1 ${date} "pvusb ${roff(version)}" "Xen"`,
    NO_HYPHENS,
    '.ad l',
    '.SH NAME',
    'pvusb \\- lend the USB devices of a Xen host to its guests',
    '.SH SYNOPSIS',
    `${bold('pvusb')} \\fIcommand\\fR [\\fIoptions\\fR] [\\fIarguments\\fR]`,
    '.SH DESCRIPTION',
    ...formatHelp(program.description()),
    '.PP',
    `${usage('pvusb help <command>')} explains one command.`,
    '.SH OPTIONS',
    ...prose('Most commands take these options; commands that change something take all of them.'),
    ...list(COMMON.map(formatOption)),
    '.PP',
    ...prose('These go before the command, which is then run by a daemon on another host:'),
    ...list(optionsOf(program).filter(isForHost).map(formatOption)),
    '.SH COMMANDS',
    ...own.flatMap((command) => formatCommand(command)),
    '.SH COMMANDS OF XL',
    ...prose(
      "They take xl's arguments, print what xl prints and exit as xl does, except that any invalid command line exits with 2.",
    ),
    ...xl.flatMap((command) => formatCommand(command)),
    '.SH STATES',
    ...formatStates(),
    '.SH EXIT STATUS',
    ...list(Object.entries(statuses()).map(([status, meaning]) => [bold(status), ...prose(meaning)])),
    '.SH ENVIRONMENT',
    ...list(ENVIRONMENT.map(([name, meaning]) => [bold(name), ...prose(meaning)])),
    '.SH FILES',
    ...list(FILES.map(([path, meaning]) => [`\\fI${roff(path)}\\fR`, ...prose(meaning)])),
    '.SH EXAMPLES',
    ...EXAMPLES.flatMap(({ what, lines }, at) => [
      ...(at === 0 ? [] : ['.PP']),
      ...prose(what),
      '.PP',
      '.RS 4',
      ...verbatim(lines),
      '.RE',
    ]),
    '.SH ERRORS',
    ...prose(
      'Each error has a code, which is printed in parentheses after the remedy and in the output of --json.',
    ),
    ...formatErrors(errors),
    '.SH SEE ALSO',
    '.BR xl (1),',
    '.BR xl.cfg (5),',
    '.BR xenstore\\-ls (1),',
    '.BR lsusb (8)',
    '.PP',
    ...prose('Further documentation is in /usr/share/doc/pvusb: README.md and the files that it links to.'),
    '',
  ].join('\n');
}

/** `--version` is told where it is known. */
function isForHost({ long }: Option): boolean {
  return long !== '--version';
}

/** Options that many commands have are told once. */
const COMMON = [new Option(...DRY_RUN), new Option(...JSON_OPTION), sysfsRoot()];

/** The commands are described, not run. */
const SILENT: Terminal = {
  out: () => undefined,
  err: () => undefined,
  showsProgress: false,
  columns: undefined,
  errColumns: undefined,
  env: {},
  signal: new AbortController().signal,
};

function statuses(): Record<string, string> {
  const meanings: Record<ErrorGroup, string> = {
    usage: 'Invalid command line.',
    refused: 'Refused; nothing was changed. From doctor: something is still wrong.',
    host: 'Host problem.',
    moment: 'Try again.',
    unfinished: 'Something is left over; see "pvusb doctor".',
  };
  const groups = Object.entries(EXIT_STATUS) as [ErrorGroup, number][];
  const byGroup = groups.map(([group, status]) => [status, meanings[group]] as const);
  return {
    0: 'Success.',
    ...Object.fromEntries(byGroup),
    [UNWRITTEN_STATUS]: 'Done, but the output could not be written; standard error says why.',
    130: 'Interrupted.',
  };
}

/** A command, or its subcommands: how it is called, what it does, its options. Those of the parser alone are not told. */
function formatCommand(command: Command, prefix = ''): string[] {
  const name = `${prefix}${command.name()}`;
  const below = command.commands.flatMap((sub) => formatCommand(sub, `${name} `));
  // A command that does nothing by itself has no options.
  if (below.length > 0 && optionsOf(command).length === 0) return below;
  // A command that is called in two ways has them in two lines, with the program's name in the second.
  const [first, ...others] = command.usage().split(/\n +pvusb /);
  const isCommon = ({ flags, description }: Option): boolean =>
    COMMON.some((option) => option.flags === flags && option.description === description);
  const options = optionsOf(command).filter((option) => !isCommon(option));
  return [
    '.TP',
    usage(`${name} ${first}`),
    ...others.flatMap((other) => ['.TQ', usage(other)]),
    ...formatHelp(command.description()),
    ...(options.length === 0 ? [] : ['.RS', ...list(options.map(formatOption)), '.RE']),
    ...below,
  ];
}

/** What a command offers; what only the parser knows is hidden. */
function optionsOf(command: Command): Option[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .filter(({ long }) => long !== '--help');
}

function formatOption({ flags, description }: Option): [string, ...string[]] {
  return [flags.split(', ').map(usage).join(', '), ...prose(description)];
}

function formatStates(): string[] {
  const { gone, removed, emulated } = CONTROLLER_STATES;
  const entries = (states: readonly { readonly word: string; readonly meaning: string }[]) =>
    list(states.map(({ word, meaning }) => [bold(word || '(nothing)'), ...prose(meaning)]));
  return [
    ...prose('"pvusb list" shows one of these for a port with a device:'),
    ...entries(Object.values(PORT_STATES)),
    '.PP',
    'For a controller:',
    ...entries([...XENBUS_STATES, removed, gone, emulated]),
    '.PP',
    ...prose('For a domain that is dead but still has controllers: GONE.'),
  ];
}

/** The tables of docs/errors.md: groups, and in each the codes with causes and remedies. */
function formatErrors(markdown: string): string[] {
  // A link is its text alone: a terminal cannot follow it.
  const plain = (text: string): string[] =>
    prose(text.replaceAll('`', '').replace(/\[([^\]]+)\]\([^)]+\)/g, '$1'));
  return markdown
    .split(/^## /m)
    .slice(1)
    .flatMap((section) => {
      const [title, ...lines] = section.split('\n');
      const rows = lines.flatMap((line) => /^\| `([a-z-]+)` \|(.*)\|([^|]*)\|$/.exec(line)?.slice(1) ?? []);
      const entries: [string, ...string[]][] = [];
      for (let at = 0; at < rows.length; at += 3) {
        entries.push([bold(rows[at]!), ...plain(rows[at + 1]!), '.br', ...plain(rows[at + 2]!)]);
      }
      return entries.length === 0 ? [] : [`.SS ${roff(title!)}`, ...list(entries)];
    });
}
