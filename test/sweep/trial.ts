/** One run of one operation with one fault, and what must be true of it afterwards. */
import { ERROR_KINDS, PvusbError, type PvusbErrorCode } from '../../src/pvusb/index.js';
import { type SimHost, SimUsb } from '../../src/sim/index.js';
import { type Drivers, driversOf } from '../core/support/invariants.js';
import { checkDone, checkUnwritten, differences, mend, resume, type Struck } from './afterwards.js';
import { changesHost, type Fault, type HostCall, mayLeaveFile, TRIES_ALL } from './faults.js';
import { FaultyHost } from './faulty-host.js';
import { invariantsOf } from './invariants-of.js';
import type { Swept } from './operations.js';
import { type Ending, ending } from './settle.js';
import type { Strike } from './trouble.js';
import { worldOf } from './world-of.js';

/** What an operation does when nothing goes wrong. */
interface Undisturbed {
  readonly calls: readonly HostCall[];
  readonly natural: Drivers;
  /** The world that it begins with, always the same. */
  readonly before: readonly string[];
  /** The world that it ends with. */
  readonly end: readonly string[];
  /** The hosts that faults have left behind and that were found to be as they must be. */
  readonly sound: Set<string>;
}

/** Runs an operation without a fault: counts its calls, and returns what it ends with. */
export async function undisturbed(operation: Swept): Promise<Undisturbed> {
  const sim = await operation.world();
  const natural = await naturalDrivers(sim);
  const before = await worldOf(sim);
  const faulty = new FaultyHost(sim, operation.stage);
  const { trouble } = faulty;
  const end = await ending(operation.run(faulty.host, trouble.signal), faulty.clock, () => trouble.activity);
  if (end.how !== 'done') throw new Error(`${operation.name}: ${describe(end)}`);
  await sim.idle();
  const wrong = await invariantsOf(sim, natural);
  if (wrong.length > 0) throw new Error(`${operation.name}, undisturbed: ${wrong.join(', ')}`);
  const result = {
    calls: [...trouble.calls],
    natural,
    before,
    end: await worldOf(sim),
    sound: new Set<string>(),
  };
  faulty.close();
  await sim.close();
  return result;
}

/** The drivers that the interfaces have when the kernel chooses: taken from another host with the same devices. */
async function naturalDrivers(sim: SimHost): Promise<Drivers> {
  const usb = new SimUsb();
  for (const { spec } of sim.usb.devices) {
    await usb.plug({
      ...spec,
      interfaces: spec.interfaces.map(({ number, classes }) => ({ number, classes })),
    });
  }
  return driversOf(usb);
}

/** Runs an operation with a fault; returns sentences about everything that is wrong afterwards. */
export async function trial(operation: Swept, calm: Undisturbed, strike: Strike): Promise<string[]> {
  const { fault } = strike;
  const { before } = calm;
  const sim = await operation.world();
  const qemu = sim.qemus.get(operation.stage.domid);
  const watches = sim.store.watchCount;
  const faulty = new FaultyHost(sim, operation.stage, strike);
  const { trouble } = faulty;
  const end = await ending(
    operation.run(faulty.host, trouble.signal),
    faulty.clock,
    () => trouble.activity,
    () => trouble.dead,
  );
  const locks = trouble.dead ? 0 : faulty.endLocks();
  await trouble.settle(fault.kind === 'silence' ? fault.end : 'back');
  // A daemon that refuses to end a transaction or a watch may have ended it nevertheless; this one has not.
  const unended =
    fault.kind === 'errno' && /^(transactionEnd|unwatch)/.test(calm.calls[strike.at]?.name ?? '');
  const wrong = trouble.dead ? [] : [...checkEnding(end), ...(await checkOpen(sim, faulty, unended))];
  if (locks > 0) wrong.push(`I7: ${locks} locks were not released`);
  faulty.close();
  await sim.idle();
  const natural = naturalAfter(sim, operation, calm, fault);
  const failed = end.how === 'failed' ? (end.error as PvusbError) : undefined;
  const struck: Struck = {
    sim,
    operation,
    fault,
    lostQemu: sim.qemus.has(operation.stage.domid) && qemu?.alive === false,
    invariants: async () =>
      (await invariantsOf(sim, natural)).filter((line) => !(changesHost(fault) && wasSaid(failed, line))),
  };
  const changed =
    changesHost(fault) &&
    !(fault.kind === 'deed' && fault.deed === 'mischief' && operation.failing === 'undoes');
  const isUnwritten = mayLeaveFile(fault, calm.calls[strike.at]!);
  const leaked = Math.max(0, sim.store.watchCount - watches);
  const aftermath = async (): Promise<string[]> => {
    if (trouble.dead || changed || failed?.code === 'rollback-failed')
      return mend(struck, trouble.dead || !changed);
    if (isUnwritten) return checkUnwritten(struck, failed, { before, calm });
    if (struck.lostQemu) return checkLoss(struck, failed, { before, calm });
    if (failed === undefined) return checkDone(struck, calm.end);
    if (operation.failing === 'resumes') return resume(struck, calm.end);
    const differs = (await differences(struck, before)).map((line) => `I4: ${line}`);
    return leaked > 0 ? [...differs, `I7: ${leaked} watches`] : differs;
  };
  // What follows depends on nothing else.
  const left = [
    trouble.dead,
    changed,
    failed?.code,
    failed?.leftOver,
    isUnwritten,
    struck.lostQemu,
    leaked,
    fault.kind === 'deed' && fault.deed,
    await wholeOf(sim),
  ];
  const key = JSON.stringify(left);
  if (!calm.sound.has(key)) {
    const found = await aftermath();
    if (found.length === 0 && !TRIES_ALL) calm.sound.add(key);
    wrong.push(...found);
  }
  if (sim.store.openConnections > 0) wrong.push('I7: a connection is open');
  if (sim.store.openTransactions > 0) wrong.push('I7: a transaction is open');
  await sim.close();
  return wrong;
}

/** A host, so completely that two of which this is the same go on in the same way. */
async function wholeOf(sim: SimHost): Promise<unknown> {
  const devices = sim.usb.devices.map(({ busid, address, spec }) => [busid, address, spec.serial]);
  return [await worldOf(sim), devices, [...sim.guests.keys()], [...sim.qemus.keys()]];
}

/** What operations fail with after running into a dead QEMU. */
const LOSSES: ReadonlySet<PvusbErrorCode> = new Set([
  'qemu-dead',
  'qemu-timeout',
  'qemu-unreachable',
  'state-timeout',
  'not-opened',
]);

/**
 * After the death of a QEMU: a failed addition has left nothing, a removal continues when it is run again, and the
 * doctor gives back whatever QEMU itself left.
 */
async function checkLoss(
  struck: Struck,
  failed: PvusbError | undefined,
  { before, calm }: { readonly before: readonly string[]; readonly calm: Undisturbed },
): Promise<string[]> {
  const { operation } = struck;
  const wrong: string[] = [];
  if (failed && !LOSSES.has(failed.code)) wrong.push(`QEMU has died, and it said ${failed.message}`);
  if (failed && operation.failing === 'undoes')
    wrong.push(...(await differences(struck, before)).map((line) => `I4: ${line}`));
  if (operation.failing === 'resumes' && !operation.name.startsWith('doctor'))
    wrong.push(...(await resume(struck, calm.end)));
  return [...wrong, ...(await mend(struck, true))];
}

function describe(end: Ending<unknown>): string {
  return end.how === 'failed' ? String(end.error) : end.how;
}

/** Success, or a known code that is not a bug of ours. */
function checkEnding(end: Ending<unknown>): string[] {
  if (end.how === 'hung') return ['it hung'];
  if (end.how === 'done') return [];
  const { error } = end;
  if (!(error instanceof PvusbError)) return [`threw ${String(error)}`];
  if (!Object.hasOwn(ERROR_KINDS, error.code)) return [`threw the unknown code ${error.code}`];
  if (error.code === 'internal') return [`threw an internal error: ${error.message}`];
  const leftOver = error.code === 'rollback-failed' && error.leftOver.length === 0;
  return leftOver ? ['threw rollback-failed with nothing left over'] : [];
}

/** I7: while it is still connected, no request is unanswered, and no transaction and no watch is open. */
async function checkOpen(sim: SimHost, faulty: FaultyHost, unended: boolean): Promise<string[]> {
  await sim.idle();
  const wrong: string[] = [];
  if (faulty.pending > 0) wrong.push(`I7: ${faulty.pending} requests, watches and monitors are pending`);
  if (sim.store.openTransactions > 0 && !unended) wrong.push('I7: a transaction was left open');
  const watches = sim.store.watchCount;
  faulty.close();
  if (sim.store.watchCount < watches && !unended) wrong.push('I7: a watch was left in the daemon');
  return wrong;
}

/**
 * True for an interface without a driver that the operation said it could not give back: another toolstack has bound
 * its sibling meanwhile and removed the records, and a driver of several interfaces takes no second one.
 */
function wasSaid(failed: PvusbError | undefined, line: string): boolean {
  const id = /^I2: (\S+) is on nothing/.exec(line)?.[1];
  return id !== undefined && (failed?.leftOver ?? []).some((sentence) => sentence.includes(id));
}

/** The drivers that the host's interfaces should have after a fault. */
function naturalAfter(sim: SimHost, operation: Swept, { natural }: Undisturbed, fault: Fault): Drivers {
  // libxl saves no driver for an interface that has none at the moment, so nothing more can be said about it.
  if (fault.kind === 'deed' && fault.deed === 'rival-takes-device') {
    return new Map([...natural].filter(([id]) => !id.startsWith(`${operation.stage.busid}:`)));
  }
  const changed = sim.usb.devices.filter(({ spec }) => spec.serial === 'OTHER').map(({ busid }) => busid);
  const kept = [...natural].filter(([id]) => !changed.includes(id.slice(0, id.indexOf(':'))));
  return new Map([...kept, ...changed.map((busid): [string, string] => [`${busid}:1.0`, 'usb-storage'])]);
}
