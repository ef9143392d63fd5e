/** One run of one operation with one fault, and what must be true of it afterwards. */
import {
  attachDevice,
  detachDevice,
  doctor,
  ERROR_KINDS,
  type Host,
  PvusbError,
} from '../../src/pvusb/index.js';
import { type SimHost, SimUsb } from '../../src/sim/index.js';
import { Sysfs } from '../../src/sysfs/index.js';
import { XenstoreClient } from '../../src/xenstore/index.js';
import { compareWorlds, type Drivers, driversOf, snapshot } from '../core/invariants.js';
import { changesHost, type Fault, type HostCall } from './faults.js';
import { FaultyHost, type Strike } from './faulty-host.js';
import { invariantsOf } from './invariants-of.js';
import type { Swept } from './operations.js';
import { type Ending, ending, ManualClock } from './settle.js';

/** What an operation does when nothing goes wrong. */
export interface Undisturbed {
  readonly calls: readonly HostCall[];
  readonly natural: Drivers;
  /** The world that it ends with. */
  readonly end: readonly string[];
}

/** Another program on the same host, to which nothing happens. */
export async function unharmed<T>(sim: SimHost, run: (host: Host) => Promise<T>): Promise<T> {
  const clock = new ManualClock();
  const clients: XenstoreClient[] = [];
  const open = (): XenstoreClient => {
    const client = new XenstoreClient(sim.store.connect(0), { clock, random: () => 0 });
    clients.push(client);
    return client;
  };
  let calls = 0;
  sim.store.onRequest = () => {
    calls++;
  };
  const sysfs = new Sysfs(sim.usb.files, clock);
  const host: Host = { xenstore: open(), sysfs, clock, reopen: async () => open() };
  const end = await ending(run(host), clock, () => calls);
  for (const client of clients) client.close();
  delete sim.store.onRequest;
  if (end.how === 'done') return end.value;
  throw end.how === 'failed' ? end.error : new Error('hung without any fault');
}

/** Runs an operation without a fault: counts its calls, and tells what it ends with. */
export async function undisturbed(operation: Swept): Promise<Undisturbed> {
  const sim = await operation.world();
  const natural = await naturalDrivers(sim);
  const faulty = new FaultyHost(sim, operation.stage);
  const end = await ending(operation.run(faulty.host, faulty.signal), faulty.clock, () => faulty.activity);
  if (end.how !== 'done') throw new Error(`${operation.name}: ${describe(end)}`);
  await sim.idle();
  const result = { calls: [...faulty.calls], natural, end: snapshot(sim) };
  faulty.close();
  await sim.close();
  return result;
}

/** The drivers that the interfaces have when the kernel chooses: another host of the same devices tells. */
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

/** Runs an operation with a fault; the sentences of all that is wrong afterwards. */
export async function trial(operation: Swept, calm: Undisturbed, strike: Strike): Promise<string[]> {
  const { fault } = strike;
  const sim = await operation.world();
  const before = snapshot(sim);
  const watches = sim.store.watchCount;
  const faulty = new FaultyHost(sim, operation.stage, strike);
  const run = operation.run(faulty.host, faulty.signal);
  const end = await ending(
    run,
    faulty.clock,
    () => faulty.activity,
    () => faulty.dead,
  );
  // A daemon that refuses to end a transaction or a watch may have ended it nevertheless; this one has not.
  const unended =
    fault.kind === 'errno' && /^(transactionEnd|unwatch)/.test(calm.calls[strike.at]?.name ?? '');
  const wrong: string[] = faulty.dead
    ? []
    : [...checkEnding(end), ...(await checkOpen(sim, faulty, unended))];
  faulty.close();
  if (sim.usbback && fault.kind === 'silence') {
    sim.usbback.manner = 'prompt';
    await sim.usbback.proceed();
  }
  await sim.idle();
  const natural = naturalAfter(sim, operation, calm, fault);
  const failed = end.how === 'failed' ? (end.error as PvusbError) : undefined;
  const invariants = (): string[] =>
    invariantsOf(sim, natural).filter((line) => !(changesHost(fault) && wasSaid(failed, line)));
  const changed =
    changesHost(fault) &&
    !(fault.kind === 'deed' && fault.deed === 'mischief' && operation.failing === 'undoes');
  if (faulty.dead || changed || failed?.code === 'rollback-failed') {
    const unknown = faulty.dead || !changed;
    wrong.push(...(await mend(sim, operation, invariants, unknown)));
  } else if (failed === undefined) {
    wrong.push(...(await checkDone(sim, operation, calm, fault, invariants)));
  } else if (operation.failing === 'undoes') {
    wrong.push(...withoutGuests(compareWorlds(before, snapshot(sim)), fault).map((line) => `I4: ${line}`));
    if (sim.store.watchCount > watches) wrong.push(`I7: ${sim.store.watchCount - watches} watches`);
  } else {
    wrong.push(...(await resume(sim, operation, calm, fault)));
  }
  if (sim.store.openConnections > 0) wrong.push('I7: a connection is open');
  if (sim.store.openTransactions > 0) wrong.push('I7: a transaction is open');
  await sim.close();
  return wrong;
}

function describe(end: Ending<unknown>): string {
  return end.how === 'failed' ? String(end.error) : end.how;
}

/** Success, or a known code that is no defect of ours. */
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

/** I7: nothing is asked and not answered, no transaction and no watch is open, while it is still connected. */
async function checkOpen(sim: SimHost, faulty: FaultyHost, unended: boolean): Promise<string[]> {
  await sim.idle();
  const wrong: string[] = [];
  if (faulty.pending > 0) wrong.push(`I7: ${faulty.pending} requests and watches are pending`);
  if (sim.store.openTransactions > 0 && !unended) wrong.push('I7: a transaction was left open');
  const watches = sim.store.watchCount;
  faulty.close();
  if (sim.store.watchCount < watches && !unended) wrong.push('I7: a watch was left in the daemon');
  return wrong;
}

/**
 * True for an interface without driver of which the operation said that it could not give it back: another toolstack
 * has bound its sibling meanwhile and forgotten the records, and a driver of several interfaces takes no second one.
 */
function wasSaid(failed: PvusbError | undefined, line: string): boolean {
  const id = /^I2: (\S+) is on nothing/.exec(line)?.[1];
  return id !== undefined && (failed?.leftOver ?? []).some((sentence) => sentence.includes(id));
}

/** The drivers that the host's interfaces should have after a fault. */
function naturalAfter(sim: SimHost, operation: Swept, { natural }: Undisturbed, fault: Fault): Drivers {
  // libxl saves no driver of an interface that has none at the moment, so nothing can be said of it any more.
  if (fault.kind === 'deed' && fault.deed === 'rival-takes-device') {
    return new Map([...natural].filter(([id]) => !id.startsWith(`${operation.stage.busid}:`)));
  }
  const changed = sim.usb.devices.filter(({ spec }) => spec.serial === 'OTHER').map(({ busid }) => busid);
  const kept = [...natural].filter(([id]) => !changed.includes(id.slice(0, id.indexOf(':'))));
  return new Map([...kept, ...changed.map((busid): [string, string] => [`${busid}:1.0`, 'usb-storage'])]);
}

/** What guests may have changed of their own by mischief: their frontends, and the states that follow them. */
function withoutGuests(lines: readonly string[], fault: Fault): string[] {
  if (fault.kind !== 'deed' || fault.deed !== 'mischief') return [...lines];
  return lines.filter(
    (line) => !/ \/local\/domain\/\d+\/(device\/vusb|backend\/vusb\/\d+\/\d+\/state)/.test(line),
  );
}

/** The doctor makes everything well, and the host can be worked with. */
async function mend(
  sim: SimHost,
  operation: Swept,
  invariants: () => string[],
  use: boolean,
): Promise<string[]> {
  const diagnosis = await unharmed(sim, (host) => doctor(host, { fix: true, settleMs: 0 }));
  await sim.idle();
  const { remaining, failures } = diagnosis;
  const wrong = [...failures, ...remaining.map(({ finding }) => finding), ...invariants()];
  return [
    ...wrong.map((line) => `after the doctor: ${line}`),
    ...(use ? await useAgain(sim, operation, invariants) : []),
  ];
}

async function useAgain(sim: SimHost, operation: Swept, invariants: () => string[]): Promise<string[]> {
  const domain = sim.guests.has(1) ? 1 : 2;
  const device = sim.usb.device(operation.stage.busid) ? operation.stage.busid : operation.stage.other;
  try {
    await unharmed(sim, async (host) => {
      await detachDevice(host, { device }).catch(() => undefined);
      await attachDevice(host, { domain, device });
      await detachDevice(host, { device });
    });
    await sim.idle();
    return invariants().map((line) => `used again: ${line}`);
  } catch (error) {
    return [`used again: ${String(error)}`];
  }
}

/** A success is one: the invariants hold and the world is the one that it always ends with. */
async function checkDone(
  sim: SimHost,
  operation: Swept,
  calm: Undisturbed,
  fault: Fault,
  invariants: () => string[],
): Promise<string[]> {
  // The doctor tells of failures in its result; it is run again like a removal.
  if (operation.name.startsWith('doctor')) return resume(sim, operation, calm, fault);
  const differs = withoutGuests(compareWorlds(calm.end, snapshot(sim)), fault);
  return [...invariants(), ...differs].map((line) => `done, but ${line}`);
}

/** I5: run again, it ends as if nothing had happened; a removal that was through already has nothing to do. */
async function resume(sim: SimHost, operation: Swept, calm: Undisturbed, fault: Fault): Promise<string[]> {
  try {
    await unharmed(sim, (host) => operation.run(host));
  } catch (error) {
    const through = error instanceof PvusbError && ['no-such-controller', 'port-empty'].includes(error.code);
    if (!through) return [`run again: ${String(error)}`];
    // The controller is gone, though a driver has not taken its interface back: that was said, with what to do.
    await unharmed(sim, (host) => doctor(host, { fix: true, settleMs: 0 }));
  }
  await sim.idle();
  const differs = withoutGuests(compareWorlds(calm.end, snapshot(sim)), fault);
  return differs.map((line) => `I5: ${line}`);
}
