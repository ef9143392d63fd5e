/** `pvusb apply` and `pvusb prepare`: a guest gets what a file names. */

import { barePlan, HalfDoneError, parseSettings, type ToldPlan, toldPlan } from '../../commands/index.js';
import {
  type Adjustment,
  type Applied,
  applyUsb,
  countPorts,
  PvusbError,
  prepareDomain,
} from '../../pvusb/index.js';
import { printable } from '../../sysfs/index.js';
import { act } from '../act.js';
import { type CommonOptions, formatDryRun, printJson, withHost } from '../context.js';
import { quoteWord } from '../printable.js';
import { usageError } from '../report.js';
import { readBytes, readSettingsFile } from '../settings-file.js';
import type { Terminal } from '../terminal.js';
import { asTyped } from '../wording.js';

/** Options of `apply`. */
export interface ApplyCommandOptions extends CommonOptions {
  readonly takeAll?: boolean;
}

/** Makes a domain's USB match a file. */
export async function runApply(
  terminal: Terminal,
  args: { readonly domain: string; readonly file: string },
  options: ApplyCommandOptions,
): Promise<void> {
  const { domain, file } = args;
  const request = { domain, takesAll: options.takeAll };
  const untrusted = await readBytes(file);
  const { usb, notes } = parseSettings(untrusted, file, domain);
  tellNotes(terminal, notes);
  const applied = await telling(terminal, { ...options, domain }, (onChange) =>
    act(terminal, options, {
      here: async (host, operation) =>
        told(await applyUsb(host, { ...request, usb }, { ...operation, onChange })),
      async there(daemon, asked, call) {
        const settings = untrusted.toString('utf8');
        const { result, plans } = await daemon
          .apply({ ...request, settings, ...asked }, call)
          .catch((error: unknown) => {
            changesBefore(error).forEach(onChange);
            throw error;
          });
        const { domid, changes } = result;
        if (!asked.dryRun) changes.forEach(onChange);
        return { domid, changes, plans };
      },
    }),
  );
  tell(terminal, options, applied, `Domain ${asTyped(domain)} matches ${printable(file)}.`);
}

/** Options of `prepare`. */
export interface PrepareOptions extends CommonOptions {
  readonly domain?: string;
  readonly wait?: string;
}

/** Gives a domain, which may not exist yet, what a file names. */
export async function runPrepare(
  terminal: Terminal,
  file: string | undefined,
  options: PrepareOptions,
): Promise<void> {
  const withinMs = parseWait(options.wait);
  const read = file === undefined ? undefined : await readSettingsFile(file, options.domain);
  tellNotes(terminal, read?.notes ?? []);
  const usb = read?.usb;
  const domain = options.domain ?? nameFrom(file, usb?.name);
  await withHost(terminal, options, async (host, operation) => {
    const onWait = ({ message }: Error): void => {
      if (!options.json) terminal.err(`${printable(message)} Waiting for it ...\n`);
    };
    const request = { domain, usb };
    const applied = await telling(terminal, { ...options, domain }, async (onChange) =>
      told(await prepareDomain(host, request, { ...operation, withinMs, onWait, onChange })),
    );
    const what = file === undefined ? 'the rules assign to it' : `${printable(file)} names`;
    tell(terminal, options, applied, `Domain ${asTyped(domain)} has everything that ${what}.`);
  });
}

function tellNotes(terminal: Terminal, notes: readonly string[]): void {
  for (const note of notes) terminal.err(`pvusb: ${printable(note)}\n`);
}

/** The name in a file, taken as a name only: one made of digits would be taken for another domain's number. */
function nameFrom(file: string | undefined, name: string | undefined): string {
  if (file === undefined) throw usageError('prepare takes a file, or a domain: --domain.', 'pvusb prepare');
  if (name !== undefined && !/^\d+$/.test(name)) return name;
  const sentence =
    name === undefined
      ? `${file} does not say which domain it is for: name it with --domain.`
      : `${file} is for a domain called "${name}", which looks like a number: give its number with --domain.`;
  throw new PvusbError('invalid-configuration', sentence);
}

function parseWait(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,5}$/.test(text))
    throw usageError(`--wait takes a number of seconds, not ${quoteWord(text)}.`, 'pvusb prepare');
  return Number(text) * 1000;
}

/** What a daemon had done before it failed. */
function changesBefore(error: unknown): readonly Adjustment[] {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof HalfDoneError ? (cause.changes as readonly Adjustment[]) : [];
}

/** Reports each change as it is made, or all with the error: when a later one fails, it is known what was done. */
async function telling<T>(
  terminal: Terminal,
  options: CommonOptions & { readonly domain: string },
  body: (onChange: (adjustment: Adjustment) => void) => Promise<T>,
): Promise<T> {
  const changes: Adjustment[] = [];
  try {
    return await body((adjustment) => {
      changes.push(adjustment);
      if (!options.json) terminal.out(`${describeAdjustment(adjustment, options.domain)}\n`);
    });
  } catch (error) {
    throw new HalfDoneError(error, changes);
  }
}

/** What a domain has got and lost, with plans in words. */
interface ToldChanges extends Omit<Applied, 'plans'> {
  readonly plans: readonly ToldPlan[];
}

function told({ plans, ...applied }: Applied): ToldChanges {
  return { ...applied, plans: plans.map(toldPlan) };
}

function tell(terminal: Terminal, options: CommonOptions, applied: ToldChanges, done: string): void {
  const { domid, changes, plans } = applied;
  if (options.json)
    printJson(terminal, options.dryRun ? { domid, changes, plans: plans.map(barePlan) } : { domid, changes });
  else if (plans.length === 0 || !options.dryRun) terminal.out(`${done}\n`);
  else terminal.out(formatDryRun(plans));
}

/** A change that was made, as a sentence; the domain is called what it was called on the command line, if it was. */
export function describeAdjustment(
  adjustment: Adjustment,
  typed: string | number = adjustment.domid,
): string {
  const { change, devid } = adjustment;
  const domain = asTyped(typed);
  switch (change) {
    case 'attached':
    case 'detached': {
      const { busid = 'What was there', port } = adjustment;
      const way = change === 'attached' ? 'attached to' : 'detached from';
      return `${busid} is ${way} port ${port} of controller ${devid} of domain ${domain}.`;
    }
    case 'added': {
      const { type, version, ports } = adjustment;
      return `Domain ${domain} has USB controller ${devid} now: ${type}, USB ${version}, ${countPorts(ports)}.`;
    }
    case 'removed':
      return `Controller ${devid} of domain ${domain} is removed.`;
  }
}
