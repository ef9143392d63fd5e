/** `pvusb apply` and `pvusb prepare`: a guest gets what a file names. */

import {
  type Adjustment,
  type Applied,
  applyUsb,
  formatPlan,
  PvusbError,
  prepareDomain,
} from '../../pvusb/index.js';
import { printable } from '../../sysfs/index.js';
import { type CommonOptions, printJson, withHost } from '../context.js';
import { HalfDoneError, UsageError } from '../report.js';
import { readSettingsFile } from '../settings-file.js';
import type { Terminal } from '../terminal.js';

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
  const { usb, notes } = await readSettingsFile(file, domain);
  tellNotes(terminal, notes);
  await withHost(terminal, options, async (host, operation) => {
    const applied = await telling(terminal, options, (onChange) =>
      applyUsb(host, { ...request, usb }, { ...operation, onChange }),
    );
    tell(terminal, options, applied, `Domain ${applied.domid} matches ${printable(file)}.`);
  });
}

/** Options of `prepare`. */
export interface PrepareOptions extends CommonOptions {
  readonly domain?: string;
  readonly wait?: string;
}

/** Gives a domain, which may not exist yet, what a file names. */
export async function runPrepare(terminal: Terminal, file: string, options: PrepareOptions): Promise<void> {
  const withinMs = parseWait(options.wait);
  const { usb, notes } = await readSettingsFile(file, options.domain);
  tellNotes(terminal, notes);
  const domain = options.domain ?? nameFrom(file, usb.name);
  await withHost(terminal, options, async (host, operation) => {
    const onWait = ({ message }: Error): void => {
      if (!options.json) terminal.err(`${printable(message)} Waiting for it ...\n`);
    };
    const request = { domain, usb };
    const applied = await telling(terminal, options, (onChange) =>
      prepareDomain(host, request, { ...operation, withinMs, onWait, onChange }),
    );
    tell(terminal, options, applied, `Domain ${applied.domid} has all that ${printable(file)} names.`);
  });
}

function tellNotes(terminal: Terminal, notes: readonly string[]): void {
  for (const note of notes) terminal.err(`pvusb: ${printable(note)}\n`);
}

/** The name in a file, taken as a name only: one made of digits would be taken for another domain's number. */
function nameFrom(file: string, name: string | undefined): string {
  if (name !== undefined && !/^\d+$/.test(name)) return name;
  const sentence =
    name === undefined
      ? `${file} does not say which domain it is for: name it with --domain.`
      : `${file} is for a domain called "${name}", which looks like a number: give its number with --domain.`;
  throw new PvusbError('invalid-configuration', sentence);
}

function parseWait(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,5}$/.test(text)) throw new UsageError(`--wait takes seconds, not "${text}".`);
  return Number(text) * 1000;
}

/** Reports each change as it is made, or all with the error: when a later one fails, it is known what was done. */
async function telling<T>(
  terminal: Terminal,
  options: CommonOptions,
  body: (onChange: (adjustment: Adjustment) => void) => Promise<T>,
): Promise<T> {
  const changes: Adjustment[] = [];
  try {
    return await body((adjustment) => {
      changes.push(adjustment);
      if (!options.json) terminal.out(`${describeAdjustment(adjustment)}\n`);
    });
  } catch (error) {
    throw new HalfDoneError(error, changes);
  }
}

function tell(terminal: Terminal, options: CommonOptions, applied: Applied, done: string): void {
  const { domid, changes, plans } = applied;
  if (options.json) printJson(terminal, options.dryRun ? applied : { domid, changes });
  else if (plans.length === 0 || !options.dryRun) terminal.out(`${done}\n`);
  else terminal.out(`${plans.map((plan) => formatPlan(plan)).join('')}Nothing was changed (--dry-run).\n`);
}

/** A change that was made, as a sentence. */
export function describeAdjustment(adjustment: Adjustment): string {
  const { change, domid, devid } = adjustment;
  switch (change) {
    case 'attached':
    case 'detached': {
      const { busid = 'What was there', port } = adjustment;
      const way = change === 'attached' ? 'attached to' : 'detached from';
      return `${busid} is ${way} port ${port} of controller ${devid} of domain ${domid}.`;
    }
    case 'added': {
      const { type, version, ports } = adjustment;
      return `Domain ${domid} has USB controller ${devid} now: ${type}, USB ${version}, ${ports} ports.`;
    }
    case 'removed':
      return `Controller ${devid} of domain ${domid} is removed.`;
  }
}
