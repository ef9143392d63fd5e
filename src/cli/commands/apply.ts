/** `pvusb apply` and `pvusb prepare`: a guest gets what a file says. */
import { type Applied, applyUsb } from '../../pvusb/apply.js';
import { PvusbError } from '../../pvusb/errors.js';
import { formatPlan } from '../../pvusb/plan.js';
import type { Adjustment } from '../../pvusb/plan-apply.js';
import { prepareDomain } from '../../pvusb/prepare.js';
import { type CommonOptions, printJson, withHost } from '../context.js';
import { UsageError } from '../report.js';
import { readSettingsFile } from '../settings-file.js';
import type { Terminal } from '../terminal.js';

/** Brings a domain to what a file says. */
export async function runApply(
  terminal: Terminal,
  args: { readonly domain: string; readonly file: string },
  options: CommonOptions,
): Promise<void> {
  const { domain, file } = args;
  const { usb } = await readSettingsFile(file, domain);
  await withHost(terminal, options, async (host, operation) => {
    const onChange = telling(terminal, options);
    const applied = await applyUsb(host, { domain, usb }, { ...operation, onChange });
    tell(terminal, options, applied, `Domain ${applied.domid} has what ${file} says.`);
  });
}

/** Options of `prepare`. */
export interface PrepareOptions extends CommonOptions {
  readonly domain?: string;
  readonly wait?: string;
}

/** Gives a domain, perhaps before it is there, what a file names. */
export async function runPrepare(terminal: Terminal, file: string, options: PrepareOptions): Promise<void> {
  const withinMs = parseWait(options.wait);
  const { name, usb } = await readSettingsFile(file, options.domain);
  const domain = options.domain ?? name;
  if (domain === undefined) {
    const sentence = `${file} does not say which domain it is for: name it with --domain.`;
    throw new PvusbError('invalid-configuration', sentence);
  }
  await withHost(terminal, options, async (host, operation) => {
    const onWait = ({ message }: Error): void => {
      if (!options.json) terminal.err(`${message} Waiting for it ...\n`);
    };
    const onChange = telling(terminal, options);
    const request = { domain, usb };
    const applied = await prepareDomain(host, request, { ...operation, withinMs, onWait, onChange });
    tell(terminal, options, applied, `Domain ${applied.domid} has all that ${file} names.`);
  });
}

function parseWait(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,5}$/.test(text)) throw new UsageError(`--wait takes seconds, not "${text}".`);
  return Number(text) * 1000;
}

/** Each change as it is made: when a later one fails, it is known what was done. */
function telling(terminal: Terminal, options: CommonOptions): (adjustment: Adjustment) => void {
  return (adjustment) => {
    if (!options.json) terminal.out(`${describeAdjustment(adjustment)}\n`);
  };
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
