/** Does one action of a plan. */
import { withDeadline } from '../async/index.js';
import { type DriverName, errnoOf, type InterfaceId, SysfsError } from '../sysfs/index.js';
import { PvusbError } from './errors.js';
import { ConflictError } from './failure.js';
import type { Host, Xenstore, XenstoreNodes } from './host.js';
import { controllersPath, DOMAINS, LIBXL, parseNumber } from './layout.js';
import { USBBACK } from './observe.js';
import type { Action, Edit, Fact, UnclaimedFact } from './plan.js';

type Commit = Extract<Action, { do: 'commit' }>;
type Take = Extract<Action, { do: 'take' }>;
type Restore = Extract<Action, { do: 'restore' }>;
type Await = Extract<Action, { do: 'await' }>;

/**
 * Does one action.
 *
 * @throws {ConflictError} a fact does not hold any more; nothing was done
 * @throws the errors of the clients, {@link PvusbError} `driver-not-restored`, `state-timeout`, `domain-gone`
 */
export async function perform(host: Host, action: Action, signal: AbortSignal | undefined): Promise<void> {
  switch (action.do) {
    case 'commit':
      return commit(host, action, signal);
    case 'bind':
      return host.sysfs.bind({ interface: action.interface, driver: action.driver }, { signal });
    case 'unbind':
      return host.sysfs.unbind({ interface: action.interface, driver: action.driver }, { signal });
    case 'take':
      return take(host, action, signal);
    case 'restore':
      return restore(host, action, signal);
    case 'await':
      return awaitState(host, action, signal);
  }
}

async function commit(host: Host, action: Commit, signal: AbortSignal | undefined): Promise<void> {
  const once = (): Promise<void> => commitOnce(host.xenstore, action, signal);
  try {
    await (host.commits?.run(once, signal) ?? once());
  } catch (error) {
    if (action.otherwise !== 'skip' || !(error instanceof ConflictError)) throw error;
  }
}

async function commitOnce(
  xenstore: Xenstore,
  action: Commit,
  signal: AbortSignal | undefined,
): Promise<void> {
  const call = { signal };
  await xenstore.transaction(async (nodes) => {
    await Promise.all(action.expect.map((fact) => checkFact(nodes, fact, signal)));
    const clears = action.edits.filter((edit) => edit.edit === 'clear');
    const held =
      clears.length === 0
        ? []
        : await nodes.readMany(
            clears.map(({ path }) => path),
            call,
          );
    const toClear = new Set(clears.filter(({ from }, i) => held[i] === from));
    await Promise.all(action.edits.flatMap((edit) => applyEdit(nodes, edit, toClear, signal)));
    for (const edit of action.edits) if (edit.edit === 'prune') await prune(nodes, edit, signal);
  }, call);
}

/** Sent together, in order; the store carries them out one by one. */
function applyEdit(
  nodes: XenstoreNodes,
  edit: Edit,
  toClear: ReadonlySet<Edit>,
  signal: AbortSignal | undefined,
): Promise<void>[] {
  const call = { signal };
  switch (edit.edit) {
    case 'write':
      return [nodes.write(edit.path, edit.value, call)];
    case 'mkdir':
      return [nodes.mkdir(edit.path, call), nodes.setPermissions(edit.path, edit.permissions, call)];
    case 'rm':
      return [nodes.rm(edit.path, call)];
    case 'clear':
      return toClear.has(edit) ? [nodes.write(edit.path, '', call)] : [];
    case 'prune':
      return [];
  }
}

async function prune(
  nodes: XenstoreNodes,
  edit: Extract<Edit, { edit: 'prune' }>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const [children] = await nodes.directoryMany([edit.path], { signal });
  if (children?.every((name) => edit.ignoring?.includes(name))) await nodes.rm(edit.path, { signal });
}

async function checkFact(nodes: XenstoreNodes, fact: Fact, signal: AbortSignal | undefined): Promise<void> {
  if (fact.fact === 'unclaimed') return checkUnclaimed(nodes, fact, signal);
  const [value] = await nodes.readMany([fact.path], { signal });
  if (fact.fact === 'present' && value === undefined) throw new ConflictError(`${fact.path} is gone`);
  if (fact.fact === 'absent' && value !== undefined) throw new ConflictError(`${fact.path} has appeared`);
  if (fact.fact === 'vacant' && value) throw new ConflictError(`${fact.path} holds ${JSON.stringify(value)}`);
  if (fact.fact === 'value' && value !== fact.is) {
    const now = value === undefined ? 'is gone' : `is now ${JSON.stringify(value)}`;
    throw new ConflictError(`${fact.path} ${now}, not ${JSON.stringify(fact.is)}`);
  }
}

/** One wave: every list of controllers that there was, and every port. */
async function checkUnclaimed(
  nodes: XenstoreNodes,
  fact: UnclaimedFact,
  signal: AbortSignal | undefined,
): Promise<void> {
  const call = { signal };
  const lists = [LIBXL, DOMAINS, ...fact.domids.map(controllersPath)];
  const [[recorded, living, ...controllers], ports] = await Promise.all([
    nodes.directoryMany(lists, call),
    nodes.readMany(fact.ports, call),
  ]);
  const domids = new Set(fact.domids);
  for (const domid of [...numbers(recorded), ...numbers(living)]) {
    if (!domids.has(domid)) throw new ConflictError(`domain ${domid} has appeared`);
  }
  const known = new Set(fact.controllers.map(({ domid, devid }) => `${domid}/${devid}`));
  for (const [i, domid] of fact.domids.entries()) {
    for (const devid of numbers(controllers[i])) {
      if (!known.has(`${domid}/${devid}`))
        throw new ConflictError(`controller ${devid} of domain ${domid} has appeared`);
    }
  }
  const taken = ports.indexOf(fact.busid);
  if (taken >= 0) throw new ConflictError(`${fact.ports[taken]} holds ${fact.busid} now`);
}

function numbers(names: readonly string[] | undefined): number[] {
  return (names ?? []).map(parseNumber).filter((number) => number !== undefined);
}

/** Off its driver; one that has gone from it with a sibling has nothing to be remembered. */
async function take(host: Host, action: Take, signal: AbortSignal | undefined): Promise<void> {
  const { interface: intf, driver, record } = action;
  const state = await host.sysfs.stateOf(intf, { signal });
  if (state.driver === undefined && state.present) await host.xenstore.rm(record, { signal });
  else await host.sysfs.unbind({ interface: intf, driver }, { signal });
}

/** Any driver but usbback will do; then the record has served. */
async function restore(host: Host, action: Restore, signal: AbortSignal | undefined): Promise<void> {
  const { interface: intf, driver, record } = action;
  try {
    const state = await host.sysfs.stateOf(intf, { signal });
    if (state.driver === USBBACK) {
      throw new PvusbError('driver-not-restored', `${intf} is on usbback still, so it was not given back.`);
    }
    if (state.present && state.driver === undefined) await giveBack(host, intf, driver, signal);
  } catch (error) {
    if (!(error instanceof SysfsError)) throw error;
    const sentence = `It is not known whether ${intf} was given back: ${error.message}.`;
    throw new PvusbError('driver-not-restored', sentence, { cause: error });
  }
  await host.xenstore.rm(record, { signal });
}

async function giveBack(
  host: Host,
  intf: InterfaceId,
  driver: DriverName | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  let refusal: unknown;
  if (driver !== undefined) {
    try {
      return await host.sysfs.bind({ interface: intf, driver }, { signal });
    } catch (error) {
      signal?.throwIfAborted();
      refusal = error;
    }
  }
  let found: DriverName | undefined;
  try {
    found = await host.sysfs.probe(intf, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    refusal ??= error;
  }
  // Pulled out meanwhile: nothing to give back. No driver recorded, none found: it had none.
  if (found !== undefined || refusal === undefined) return;
  if (!(await host.sysfs.stateOf(intf, { signal })).present) return;
  const reason = errnoOf(refusal) ?? String(refusal);
  const sentence = `${intf} has no driver now: ${driver ?? 'the kernel'} did not take it back (${reason}).`;
  throw new PvusbError('driver-not-restored', sentence, { cause: refusal });
}

async function awaitState(host: Host, action: Await, signal: AbortSignal | undefined): Promise<void> {
  const { path, states, orGone, withinMs } = action;
  const changes = await host.xenstore.watch(path, { signal });
  let seen: string | undefined;
  try {
    await withDeadline(host.clock, { withinMs, signal }, async (limited) => {
      for (;;) {
        await changes.next({ signal: limited });
        [seen] = await host.xenstore.readMany([path], { signal: limited });
        if (seen === undefined && orGone) return;
        if (seen === undefined) throw new PvusbError('domain-gone', `${path} is gone.`);
        if (states.includes(parseNumber(seen) ?? -1)) return;
      }
    });
  } catch (error) {
    if (!(error instanceof Error && error.name === 'DeadlineError')) throw error;
    const sentence = `${path} is ${seen} after ${withinMs / 1000} s, not ${states.join(' or ')}.`;
    throw new PvusbError('state-timeout', sentence, { cause: error });
  } finally {
    await changes.close();
  }
}
