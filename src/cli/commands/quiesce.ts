/** `pvusb quiesce`, `pvusb restore` and `pvusb quiesced`: a guest without its devices for a while. */

import type { QuiescedAnswer } from '../../client/index.js';
import { barePlan, type RestoredJson, restoredJson, toldPlan } from '../../commands/index.js';
import {
  type Adjustment,
  forgetQuiesced,
  listQuiesced,
  observe,
  type QuiescedGuest,
  quiesceDomain,
  quiescedDomains,
  restoreDomain,
} from '../../pvusb/index.js';
import { printable } from '../../sysfs/index.js';
import { act, type Done } from '../act.js';
import { type CommonOptions, formatDryRun, printJson, withHost } from '../context.js';
import { tellFailures } from '../report.js';
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
  const request = { domain, controllers: options.controllers };
  const { plans, result } = await act<Done<QuiescedAnswer>>(terminal, options, {
    async here(host, operation) {
      const { plans: carriedOut, ...quiesced } = await quiesceDomain(host, request, operation);
      return { plans: carriedOut.map(toldPlan), result: quiesced };
    },
    there: (daemon, asked, call) => daemon.quiesce({ ...request, ...asked }, call),
  });
  const { token, busids } = result;
  if (options.json) printJson(terminal, { ...result, plans: plans.map(barePlan) });
  else if (options.dryRun) terminal.out(formatDryRun(plans));
  else {
    const had = busids.length === 0 ? 'it had no device' : `${busids.join(', ')} will be put back`;
    terminal.err(`${asTyped(domain)} is quiesced: ${had} by "pvusb restore ${token}".\n`);
    terminal.out(`${token}\n`);
  }
}

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
  if (options.forget) {
    await forget(terminal, token, options);
    return 0;
  }
  const onChange = (adjustment: Adjustment): void => {
    if (!options.json) terminal.out(`${describeAdjustment(adjustment)}\n`);
  };
  const restored = await act<RestoredJson>(terminal, options, {
    here: async (host, operation) =>
      restoredJson(await restoreDomain(host, token, { ...operation, onChange })),
    async there(daemon, asked, call) {
      const { plans, result } = await daemon.restore({ token, ...asked }, call);
      if (!asked.dryRun) result.changes.forEach(onChange);
      return { ...result, plans };
    },
  });
  const { plans, unrestored } = restored;
  if (options.json) printJson(terminal, { ...restored, plans: plans.map(barePlan) });
  else terminal.out(formatRestored(restored, options));
  return tellFailures(terminal, unrestored, options);
}

async function forget(terminal: Terminal, token: string, options: RestoreCommandOptions): Promise<void> {
  const forgotten = await act(terminal, options, {
    here: (host, operation) => forgetQuiesced(host, token, operation),
    there: async (daemon, asked, call) => (await daemon.forget({ token, ...asked }, call)).result,
  });
  if (options.json) printJson(terminal, { forgotten });
  else terminal.out(options.dryRun ? formatDryRun([]) : `What ${nameOf(forgotten)} had is discarded.\n`);
}

function formatRestored(
  { domid, token, plans, unrestored }: RestoredJson,
  { dryRun }: CommonOptions,
): string {
  if (dryRun) return formatDryRun(plans);
  if (unrestored.length === 0) return `Domain ${domid} has everything back.\n`;
  return `Not everything is back; "pvusb restore ${token}" tries the rest again, --forget gives it up.\n`;
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
