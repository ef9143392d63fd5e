/** What must still hold inside the transaction that changes something. */
import type { Busid } from '../../sysfs/index.js';
import { ConflictError } from '../model/failure.js';
import { allPorts, hostControllers } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import {
  type ControllerId,
  controllersPath,
  DOMAINS,
  LIBXL,
  parseNumbers,
  portPath,
  savedIdentityPath,
} from '../model/layout.js';
import type { Action, Fact, UnclaimedFact } from '../model/plan.js';
import { nameController } from '../model/wording.js';
import type { Host, XenstoreNodes } from '../observe/host.js';
import type { Performing } from './performing.js';

/**
 * Checks a fact in a transaction.
 *
 * @throws {ConflictError} it does not hold
 */
export async function checkFact(
  host: Host,
  nodes: XenstoreNodes,
  fact: Fact,
  call: Performing,
): Promise<void> {
  if (fact.fact === 'unclaimed') {
    // Every claim of pvusb writes it: one that is made after this reading makes the transaction start again.
    if (host.latest) await nodes.readMany([savedIdentityPath(fact.busid)], call);
    const known = await host.latest?.({ ...call, storeOnly: true });
    return known ? checkKnown(known, fact, call) : checkUnclaimed(nodes, fact, call);
  }
  const [value] = await nodes.readMany([fact.path], call);
  if (fact.fact === 'present' && value === undefined) throw new ConflictError(`${fact.path} is gone`);
  if (fact.fact === 'absent' && value !== undefined) throw new ConflictError(`${fact.path} has appeared`);
  if (fact.fact === 'vacant' && value) throw new ConflictError(`${fact.path} holds ${JSON.stringify(value)}`);
  if (fact.fact === 'value' && value !== fact.is) {
    const now = value === undefined ? 'is gone' : `is now ${JSON.stringify(value)}`;
    throw new ConflictError(`${fact.path} ${now}, not ${JSON.stringify(fact.is)}`);
  }
}

/** The same as {@link checkUnclaimed}, by what is known of the host at this moment. */
function checkKnown(now: Inventory, { busid, domids, controllers }: UnclaimedFact, call: Performing): void {
  const expected = new Set(domids);
  for (const { domid } of now.domains)
    if (!expected.has(domid)) throw new ConflictError(`domain ${domid} has appeared`);
  const known = new Set(controllers.map(keyOf));
  for (const controller of now.controllers) {
    const { domid, devid } = controller;
    if (!known.has(keyOf(controller)))
      throw new ConflictError(`${nameController(call, { domid, devid })} has appeared`);
  }
  const [taken] = portsWith(now, busid);
  if (taken !== undefined) throw new ConflictError(`${taken} now holds ${busid}`);
}

/**
 * After a claim that was made by what is known of the host: xl claims without looking, and without what makes our
 * transaction start again. xenstored reports changes in their order, so what was there before our claim is known by now.
 *
 * @throws {ConflictError} somebody else has the device, too; the claim has been made all the same
 */
export async function checkAlone(
  host: Host,
  { expect, edits }: Pick<Extract<Action, { do: 'commit' }>, 'expect' | 'edits'>,
  call: Performing,
): Promise<void> {
  for (const fact of expect) {
    if (fact.fact !== 'unclaimed') continue;
    const now = await host.latest?.({ ...call, storeOnly: true });
    const own = new Set(edits.flatMap((edit) => (edit.edit === 'write' ? edit.path : [])));
    const other = now && portsWith(now, fact.busid).find((path) => !own.has(path));
    if (other !== undefined)
      throw new ConflictError(`${other} holds ${fact.busid}, too`, { hasChanged: true });
  }
}

/** The nodes of the ports that hold a device. */
function portsWith(inventory: Inventory, busid: Busid): string[] {
  return hostControllers(inventory).flatMap((controller) => {
    const { portsAt } = controller;
    if (portsAt === undefined) return [];
    return allPorts(controller).flatMap((port) => (port.busid === busid ? portPath(portsAt, port.port) : []));
  });
}

function keyOf({ domid, devid }: ControllerId): string {
  return `${domid}/${devid}`;
}

/** One wave: every known list of controllers, and every port. */
async function checkUnclaimed(nodes: XenstoreNodes, fact: UnclaimedFact, call: Performing): Promise<void> {
  const lists = [LIBXL, DOMAINS, ...fact.domids.map(controllersPath)];
  const [[recorded, living, ...controllers], ports] = await Promise.all([
    nodes.directoryMany(lists, call),
    nodes.readMany(fact.ports, call),
  ]);
  const domids = new Set(fact.domids);
  for (const domid of [...parseNumbers(recorded), ...parseNumbers(living)]) {
    if (!domids.has(domid)) throw new ConflictError(`domain ${domid} has appeared`);
  }
  const known = new Set(fact.controllers.map(keyOf));
  for (const [i, domid] of fact.domids.entries()) {
    for (const devid of parseNumbers(controllers[i])) {
      if (!known.has(keyOf({ domid, devid })))
        throw new ConflictError(`${nameController(call, { domid, devid })} has appeared`);
    }
  }
  const taken = ports.indexOf(fact.busid);
  if (taken >= 0) throw new ConflictError(`${fact.ports[taken]} now holds ${fact.busid}`);
}
