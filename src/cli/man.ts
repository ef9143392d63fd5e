/** The man page pvusb(1), made from the commands themselves. */
import type { Command } from 'commander';
import { ERROR_KINDS, type ErrorGroup, EXIT_STATUS, type PvusbErrorCode } from '../pvusb/index.js';
import { buildProgram } from './program.js';
import { commandRemedy } from './remedies.js';
import type { Terminal } from './terminal.js';
import { isXlCommand } from './xl/run.js';

/** Formats the manual in roff (`man(7)`). */
export function formatManPage(version: string): string {
  const program = buildProgram(SILENT);
  const own = program.commands.filter((command) => !isXlCommand(command.name()) && command.name() !== 'help');
  const xl = program.commands.filter((command) => isXlCommand(command.name()));
  return [
    `.TH PVUSB 1 "" "pvusb ${roff(version)}" "Xen"`,
    '.SH NAME',
    'pvusb \\- lend the USB devices of a Xen host to its guests',
    '.SH SYNOPSIS',
    '.B pvusb',
    '.I command',
    '[\\fIoptions\\fR] [\\fIarguments\\fR]',
    '.SH DESCRIPTION',
    paragraphs(program.description()),
    '.SH COMMANDS',
    ...own.flatMap((command) => formatCommand(command)),
    '.SH COMMANDS OF XL',
    "They take xl's arguments, print what xl prints and exit as xl does.",
    ...xl.flatMap((command) => formatCommand(command)),
    '.SH EXIT STATUS',
    ...Object.entries(statuses()).flatMap(([status, meaning]) => ['.TP', `.B ${status}`, roff(meaning)]),
    '.SH ENVIRONMENT',
    ...ENVIRONMENT.flatMap(([name, meaning]) => ['.TP', `.B ${name}`, roff(meaning)]),
    '.SH ERRORS',
    'Each error has a code, printed in parentheses after its remedy, and in the output of \\-\\-json.',
    ...(Object.keys(ERROR_KINDS) as PvusbErrorCode[]).flatMap((code) => [
      '.TP',
      `.B ${roff(code)}`,
      roff(commandRemedy(code)),
    ]),
    '.SH SEE ALSO',
    '.BR xl (1),',
    '.BR xenstore\\-ls (1)',
    '',
  ].join('\n');
}

/** The commands are described, not run. */
const SILENT: Terminal = {
  out: () => undefined,
  err: () => undefined,
  showsProgress: false,
  hasColour: false,
  columns: undefined,
  errColumns: undefined,
  env: {},
  signal: new AbortController().signal,
};

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ['XENSTORED_PATH', "Path of xenstored's socket, or of its device."],
  ['XENSTORED_RUNDIR', "The folder of xenstored's socket."],
  ['PVUSB_SYSFS', 'Where sysfs is; default /sys.'],
  ['PVUSB_USERDATA', "Where libxl keeps guests' configurations; default /var/lib/xen."],
  ['PVUSB_QMP', "Where the monitors of the guests' QEMUs are; default /var/run/xen."],
  ['PVUSB_USBIDS', 'The list of vendor and product names; default: the installed usb.ids.'],
  ['NO_COLOR', 'If set, nothing is printed in colour.'],
];

function statuses(): Record<string, string> {
  const meanings: Record<ErrorGroup, string> = {
    refused: 'Refused; nothing was changed. From doctor: something is still wrong.',
    host: 'Problem with the host.',
    moment: 'Try again.',
    unfinished: 'Something is left over; see "pvusb doctor".',
  };
  const groups = Object.entries(EXIT_STATUS) as [ErrorGroup, number][];
  const byGroup = groups.map(([group, status]) => [status, meanings[group]] as const);
  return { 0: 'Done.', ...Object.fromEntries(byGroup), 2: 'A wrong command line.', 130: 'Interrupted.' };
}

function formatCommand(command: Command, prefix = ''): string[] {
  const name = `${prefix}${command.name()}`;
  if (command.commands.length > 0) return command.commands.flatMap((sub) => formatCommand(sub, `${name} `));
  const options = command.options.flatMap((option) => [
    '.TP',
    `.B ${roff(option.flags)}`,
    roff(option.description),
  ]);
  const block = options.length === 0 ? [] : ['.RS', ...options, '.RE'];
  return ['.TP', `.B ${roff(`${name} ${command.usage()}`)}`, paragraphs(command.description()), ...block];
}

function paragraphs(text: string): string {
  return text
    .split(/\n{2,}/)
    .map(roff)
    .join('\n.PP\n');
}

/** A line that begins with a dot or a quote would be a roff request; a hyphen is a dash unless escaped. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1');
}
