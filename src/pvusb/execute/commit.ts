/** One transaction: facts are read again, then all edits are made, or none. */
import { isLibxlError } from '../../libxl/index.js';
import { isXenstoreError } from '../../xenstore/index.js';
import { ConflictError } from '../model/failure.js';
import type { Action, ConfigEdit, Edit } from '../model/plan.js';
import { withEdits } from '../model/saved-config.js';
import type { Host, XenstoreNodes } from '../observe/host.js';
import { isUnusable } from '../observe/saved-config.js';
import { checkAlone, checkFact } from './facts.js';
import type { Performing } from './performing.js';

type Commit = Extract<Action, { do: 'commit' }>;

/**
 * Makes the edits of a commit at once, if its facts still hold.
 *
 * @throws {ConflictError} a fact does not hold; nothing was changed unless it says so
 */
export async function commit(host: Host, action: Commit, call: Performing): Promise<void> {
  const once = (): Promise<void> => commitWithConfig(host, action, call);
  try {
    await (host.commits?.run(once, call.signal) ?? once());
  } catch (error) {
    if (action.otherwise !== 'skip' || !(error instanceof ConflictError)) throw error;
    return;
  }
  await checkAlone(host, action, call);
}

/**
 * In libxl's order: take the lock, run the transaction and write the file as its last step, release the lock. If the
 * transaction is refused after that, the file is written back.
 */
async function commitWithConfig(host: Host, action: Commit, call: Performing): Promise<void> {
  const { signal } = call;
  const { config } = action;
  const { userdata, clock } = host;
  if (!config || !userdata) return commitOnce(host, action, call);
  let isBegun = false;
  let isDone = false;
  try {
    await userdata.withLock(config, { signal, clock }, async (held) => {
      const old = await held.read();
      isBegun = true;
      if (!old) {
        await commitOnce(host, action, call);
        isDone = true;
        return;
      }
      // A transaction may be tried more than once.
      let current = old;
      try {
        await commitOnce(host, action, call, async (known) => {
          const wanted = withEdits(old, [...config.edits, ...known]);
          if (wanted === current) return;
          try {
            await held.write(wanted);
            current = wanted;
          } catch (error) {
            if (!config.ifPossible || !isUnusable(error)) throw error;
          }
        });
      } catch (error) {
        if (current !== old && !isInDoubt(error, signal)) await held.write(old);
        throw error;
      }
      isDone = true;
    });
  } catch (error) {
    // Only the lock file could not be removed. The lock is free, and what it was for is done.
    if (isDone) return;
    const isNoUse = isLibxlError(error, 'unsupported') || (config.ifPossible && isUnusable(error));
    if (isBegun || !isNoUse) throw error;
    await commitOnce(host, action, call);
  }
}

/** After a lost connection it is not known whether the transaction was committed, and an abort does not prevent it. */
function isInDoubt(error: unknown, signal: AbortSignal | undefined): boolean {
  return signal?.aborted || isXenstoreError(error, 'connection-lost', 'protocol');
}

/** `last` is called before the transaction ends, with the devices of `config.known` that are still where they were. */
async function commitOnce(
  host: Host,
  action: Commit,
  call: Performing,
  last?: (known: readonly ConfigEdit[]) => Promise<void>,
): Promise<void> {
  const known = (last && action.config?.known) ?? [];
  await host.xenstore.transaction(async (nodes) => {
    const [busids] = await Promise.all([
      nodes.readMany(
        known.map(({ path }) => path),
        call,
      ),
      ...action.expect.map((fact) => checkFact(host, nodes, fact, call)),
    ]);
    const there = known.filter(({ busid }, i) => busids[i] === busid);
    const clears = action.edits.filter((edit) => edit.edit === 'clear');
    const held =
      clears.length === 0
        ? []
        : await nodes.readMany(
            clears.map(({ path }) => path),
            call,
          );
    const toClear = new Set(clears.filter(({ from }, i) => held[i] === from));
    await Promise.all(action.edits.flatMap((edit) => applyEdit(nodes, edit, toClear, call.signal)));
    for (const edit of action.edits) if (edit.edit === 'prune') await prune(nodes, edit, call.signal);
    await last?.(there.map(({ device }) => ({ edit: 'add-device', device })));
  }, call);
}

/** Sent together, in order; the store executes them one by one. */
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

/** Removes a node that has no children except those to ignore. */
export async function prune(
  nodes: XenstoreNodes,
  edit: Extract<Edit, { edit: 'prune' }>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const [children] = await nodes.directoryMany([edit.path], { signal });
  if (children?.every((name) => edit.ignoring?.includes(name))) await nodes.rm(edit.path, { signal });
}
