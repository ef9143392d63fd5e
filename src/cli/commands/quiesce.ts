/** `pvusb quiesce`, `pvusb restore` and `pvusb quiesced`: a guest without its devices for a while. */

import { remedyOf } from '../../commands/index.js';
import {
  forgetQuiesced,
  formatPlan,
  listQuiesced,
  observe,
  type QuiescedGuest,
  quiesceDomain,
  quiescedDomains,
  type Restored,
  restoreDomain,
} from '../../pvusb/index.js';
import { printable } from '../../sysfs/index.js';
import { type CommonOptions, printJson, withHost } from '../context.js';
import { formatTable } from '../table.js';
import type { Terminal } from '../terminal.js';
import { asTyped } from '../wording.js';
import { describeAdjustment } from './apply.js';

/** Options of `quiesce`. */
export interface QuiesceOptions extends CommonOptions {
  readonly controllers?: boolean;
}

/** Takes all devices off a guest, and prints the token: alone on standard output, so that a script can keep it. */
export async function runQuiesce(terminal: Terminal, domain: string, options: QuiesceOptions): Promise<void> {
  await withHost(terminal, options, async (host, operation) => {
    const quiesced = await quiesceDomain(host, { domain, controllers: options.controllers }, operation);
    const { token, busids, plans } = quiesced;
    if (options.json) printJson(terminal, quiesced);
    else if (options.dryRun) terminal.out(`${plans.map((plan) => formatPlan(plan)).join('')}${UNCHANGED}`);
    else {
      const had = busids.length === 0 ? 'it had no device' : `${busids.join(', ')} will be put back`;
      terminal.err(`${asTyped(domain)} is quiesced: ${had} by "pvusb restore ${token}".\n`);
      terminal.out(`${token}\n`);
    }
  });
}

const UNCHANGED = 'Nothing was changed (--dry-run).\n';

/** Options of `restore`. */
export interface RestoreCommandOptions extends CommonOptions {
  readonly forget?: boolean;
}

/** Gives a guest back what it had; fails with the first error if something could not be, after everything else. */
export async function runRestore(
  terminal: Terminal,
  token: string,
  options: RestoreCommandOptions,
): Promise<number> {
  return withHost(terminal, options, async (host, operation) => {
    if (options.forget) {
      const guest = await forgetQuiesced(host, token, operation);
      if (options.json) printJson(terminal, { forgotten: guest });
      else terminal.out(options.dryRun ? UNCHANGED : `What ${nameOf(guest)} had is forgotten.\n`);
      return 0;
    }
    const restored = await restoreDomain(host, token, {
      ...operation,
      onChange(adjustment) {
        if (!options.json) terminal.out(`${describeAdjustment(adjustment)}\n`);
      },
    });
    const { unrestored } = restored;
    const [first, ...others] = unrestored;
    if (options.json) printJson(terminal, restoredJson(restored));
    else terminal.out(formatRestored(restored, options));
    if (options.json || !first) return first?.error.exitStatus ?? 0;
    for (const { error } of others)
      terminal.err(`pvusb: ${printable(error.message)}\n${printable(remedyOf(error))} (${error.code})\n`);
    throw first.error;
  });
}

function formatRestored({ domid, token, plans, unrestored }: Restored, { dryRun }: CommonOptions): string {
  if (dryRun) return `${plans.map((plan) => formatPlan(plan)).join('')}${UNCHANGED}`;
  if (unrestored.length === 0) return `Domain ${domid} has everything back.\n`;
  return `Not everything is back; "pvusb restore ${token}" tries the rest again, with --forget it is given up.\n`;
}

function restoredJson({ unrestored, ...restored }: Restored) {
  return {
    ...restored,
    unrestored: unrestored.map(({ error, ...what }) => ({
      ...what,
      code: error.code,
      message: error.message,
    })),
  };
}

function nameOf({ name, domid }: QuiescedGuest): string {
  return name === undefined ? `domain ${domid}` : printable(name);
}

/** Lists quiesced guests. */
export async function runQuiesced(terminal: Terminal, options: CommonOptions): Promise<void> {
  await withHost(terminal, options, async (host, { signal }) => {
    const guests = await listQuiesced(host);
    if (options.json) printJson(terminal, guests);
    else if (guests.length === 0) terminal.out('No guest is quiesced.\n');
    else {
      const seen = await observe(host, { signal, scope: 'controllers' });
      terminal.out(
        formatQuiesced(
          guests,
          (guest) => quiescedDomains(seen, guest).map(({ domid }) => domid),
          terminal.columns,
        ),
      );
    }
  });
}

function formatQuiesced(
  guests: readonly QuiescedGuest[],
  domidsOf: (guest: QuiescedGuest) => readonly number[],
  columns: number | undefined,
): string {
  const cells = (cell: (guest: QuiescedGuest) => string) => ({ cells: guests.map(cell) });
  return formatTable(
    [
      { title: 'TOKEN', ...cells(({ token }) => token) },
      { title: 'GUEST', ...cells(nameOf) },
      { title: 'RUNS AS', ...cells((guest) => domidsOf(guest).join(',') || '-') },
      { title: 'STATE', ...cells(({ isIncomplete }) => (isIncomplete ? 'incomplete' : 'quiesced')) },
      { title: 'SINCE', ...cells(({ time }) => printable(time.replace(/\.\d+Z$/, 'Z'))) },
      { title: 'DEVICES', ...cells(({ devices }) => devices.map(({ busid }) => busid).join(', ') || '-') },
    ],
    columns,
  );
}
