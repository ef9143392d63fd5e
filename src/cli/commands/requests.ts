/** `pvusb requests`, `pvusb allow` and `pvusb refuse`: devices waiting for approval, because a rule says "ask". */
import type { AskRequest, Daemon } from '../../client/index.js';
import { barePlan } from '../../commands/index.js';
import { type Busid, deviceAt, type Inventory, PvusbError } from '../../pvusb/index.js';
import { describeDevice, printable } from '../../sysfs/index.js';
import { type CommonOptions, formatDryRun, printJson } from '../context.js';
import { quoteWord } from '../printable.js';
import { daemonOf } from '../remote/address.js';
import { follow } from '../remote/follow.js';
import { formatTable } from '../table.js';
import type { Terminal } from '../terminal.js';

/** Lists them. */
export async function runRequests(terminal: Terminal, options: CommonOptions): Promise<void> {
  const { signal, columns } = terminal;
  const daemon = daemonOf(terminal);
  const requests = await daemon.requests({}, { signal });
  if (options.json) printJson(terminal, requests);
  else if (requests.length === 0) terminal.out('No device is waiting for approval.\n');
  else terminal.out(formatRequests(requests, await daemon.inventory({}, { signal }), columns));
}

function formatRequests(
  requests: readonly AskRequest[],
  inventory: Inventory,
  columns: number | undefined,
): string {
  const cells = (cell: (request: AskRequest) => string) => ({ cells: requests.map(cell) });
  const nameOf = ({ busid }: AskRequest): string => {
    const device = deviceAt(inventory, busid as Busid);
    return device ? describeDevice(device) : '-';
  };
  return formatTable(
    [
      { title: 'ID', ...cells(({ id }) => printable(id)) },
      { title: 'BUSID', ...cells(({ busid }) => printable(busid)) },
      { title: 'GUEST', ...cells(guestOf) },
      { title: 'RULE', ...cells(({ rule }) => printable(rule)) },
      { title: 'DEVICE', ...cells(nameOf), narrowest: 12 },
    ],
    columns,
  );
}

function guestOf({ guest, domid }: AskRequest): string {
  return guest === undefined ? `domain ${domid}` : printable(guest);
}

/** Says whether the guest gets the device. */
export async function runAnswer(
  terminal: Terminal,
  args: { readonly id: string; readonly grant: boolean },
  options: CommonOptions,
): Promise<void> {
  const daemon = daemonOf(terminal);
  const asked = await requestOf(daemon, args.id, terminal.signal);
  const { dryRun } = options;
  const { result, plans } = await follow(terminal, daemon, (operation) =>
    daemon.answer({ ...args, dryRun, operation }, { signal: terminal.signal }),
  );
  if (options.json) return printJson(terminal, dryRun ? { plans: plans.map(barePlan), result } : result);
  if (dryRun) return terminal.out(formatDryRun(plans));
  const busid = printable(asked.busid);
  terminal.out(
    args.grant
      ? `${busid} is attached to ${guestOf(asked)}.\n`
      : `${guestOf(asked)} does not get ${busid}; you will be asked again when the device is next plugged in.\n`,
  );
}

/** What is asked, for the sentence afterwards. */
async function requestOf(daemon: Daemon, id: string, signal: AbortSignal): Promise<AskRequest> {
  const request = (await daemon.requests({}, { signal })).find((one) => one.id === id);
  if (request) return request;
  throw new PvusbError('no-such-request', `No device is waiting for approval under the id ${quoteWord(id)}.`);
}
