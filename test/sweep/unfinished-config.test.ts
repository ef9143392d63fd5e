/** What the sweep found about saved configurations, one by one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addController, attachDevice, detachDevice, doctor, type Host } from '../../src/pvusb/index.js';
import type { SimHost } from '../../src/sim/index.js';
import { compareWorlds } from '../core/support/invariants.js';
import type { Stage } from './events.js';
import type { Fault } from './faults.js';
import { FaultyHost } from './faulty-host.js';
import { invariantsOf } from './invariants-of.js';
import { SavedFiles } from './saved-files.js';
import { ending } from './settle.js';
import { unharmed } from './unharmed.js';
import { worldOf } from './world-of.js';
import { brokenEmulatedWorld, smallWorld } from './worlds.js';

const STAGE: Stage = { type: 'pv', busid: '3-6', other: '1-1', domid: 1, devid: 0 };

type Operation = (host: Host, signal: AbortSignal) => Promise<unknown>;

/** A call that comes after a file was written. */
interface Behind {
  readonly write: number;
  readonly call: string;
}

/** Runs an operation that a fault strikes at the next call with a given name after a file was written; returns how it ended. */
async function struck(
  world: () => Promise<SimHost>,
  run: Operation,
  { write, call }: Behind,
  fault: Fault,
): Promise<{ readonly sim: SimHost; readonly end: string }> {
  const calm = new FaultyHost(await world(), STAGE);
  await ending(run(calm.host, calm.signal), calm.clock, () => calm.trouble.activity);
  calm.close();
  const { calls } = calm.trouble;
  const written = calls.filter(({ what, changes }) => what === 'saved' && changes)[write]!;
  const at = calls.find(({ index, name }) => index > written.index && name.startsWith(call))!.index;
  const sim = await world();
  const faulty = new FaultyHost(sim, STAGE, { at, fault });
  const { trouble } = faulty;
  const end = await ending(run(faulty.host, faulty.signal), faulty.clock, () => trouble.activity);
  faulty.endLocks();
  await trouble.settle('back');
  faulty.close();
  await sim.idle();
  const code = end.how === 'failed' ? (end.error as { readonly code?: string }).code : undefined;
  return { sim, end: code ?? end.how };
}

const lent = (): Promise<SimHost> => smallWorld({ lent: { 1: '3-6' } });
const empty = (): Promise<SimHost> => smallWorld({ lent: {} });
const detach: Operation = (host, signal) => detachDevice(host, { domain: 1, devid: 0, port: 1 }, { signal });
const attach: Operation = (host, signal) =>
  attachDevice(host, { domain: 1, device: '3-6', devid: 0 }, { signal });

describe('an interruption at the end of the transaction that frees a port', () => {
  it('leaves a file that says what the transaction did', async () => {
    const abort = { kind: 'abort', after: false } as const;
    const { sim, end } = await struck(lent, detach, { write: 0, call: 'transactionEnd' }, abort);
    assert.equal(end, 'aborted');
    // The transaction was committed, and the detach continues after it when it is run again.
    assert.equal(await sim.store.handle(0).read('/local/domain/0/backend/vusb/1/0/port/1'), '');
    await unharmed(sim, (host) => detachDevice(host, { domain: 1, devid: 0, port: 1 }));
    assert.deepEqual(await invariantsOf(sim), []);
    await sim.close();
  });
});

describe("a lock's file that cannot be removed", () => {
  const errno = { kind: 'errno', errno: 'EIO' } as const;
  const operations: readonly (readonly [what: string, run: Operation])[] = [
    ['an attach', attach],
    ['a controller', (host, signal) => addController(host, { domain: 1 }, { signal })],
  ];
  for (const [what, run] of operations) {
    it(`leaves nothing half done of ${what}`, async () => {
      const before = await empty();
      const world = await worldOf(before);
      await before.close();
      const { sim, end } = await struck(empty, run, { write: 0, call: 'unlock' }, errno);
      if (end !== 'done') assert.deepEqual(compareWorlds(world, await worldOf(sim)), []);
      assert.deepEqual(await invariantsOf(sim), []);
      await sim.close();
    });
  }
});

describe('a file that differs, for a domain with more to be fixed', () => {
  it('is corrected in the same run of the doctor', async () => {
    const sim = await brokenEmulatedWorld();
    const { remaining } = await unharmed(sim, (host) => doctor(host, { fix: true, settleMs: 0 }));
    assert.deepEqual(
      remaining.map(({ finding }) => finding),
      [],
    );
    assert.deepEqual(await invariantsOf(sim), []);
    await sim.close();
  });
});

describe('a transaction that is refused after the file was written', () => {
  it('has the file written back, byte for byte', async () => {
    const files = SavedFiles.of(await empty()).texts;
    const end = { write: 0, call: 'transactionEnd' };
    const { sim, end: how } = await struck(empty, attach, end, { kind: 'errno', errno: 'ENOSPC' });
    assert.equal(how, 'xenstore-failed');
    assert.deepEqual(SavedFiles.of(sim).texts, files);
    await sim.close();
  });
});
