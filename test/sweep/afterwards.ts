/** What is done on a host after a fault, and must go well: running the doctor, running the operation again, using the host. */
import { attachDevice, type Diagnosis, detachDevice, doctor, isPvusbError } from '../../src/pvusb/index.js';
import type { SimHost } from '../../src/sim/index.js';
import { compareWorlds, type Snapshot } from '../core/support/invariants.js';
import type { Fault } from './faults.js';
import type { Swept } from './operations.js';
import { unharmed } from './unharmed.js';
import { isOfFiles, isOfQemus, worldOf } from './world-of.js';

/** A host on which an operation has run into a fault. */
export interface Struck {
  readonly sim: SimHost;
  readonly operation: Swept;
  readonly fault: Fault;
  /** The QEMU that the operation was about has died. */
  readonly lostQemu: boolean;
  invariants(): Promise<string[]>;
}

/** What differs from an expected world, apart from what a guest and a dead QEMU changed by themselves. */
export async function differences({ sim, fault, lostQemu }: Struck, expected: Snapshot): Promise<string[]> {
  const lines = compareWorlds(expected, await worldOf(sim)).filter((line) => !(lostQemu && isOfQemus(line)));
  if (fault.kind !== 'deed' || fault.deed !== 'mischief') return lines;
  return lines.filter(
    (line) =>
      !/ \/local\/domain\/\d+\/(device\/vusb|backend\/[vq]usb\/\d+\/\d+\/state)/.test(line) &&
      // What QEMU has open has no driver until the guest configures it.
      !/^- \S+ -> usbfs$/.test(line) &&
      !lines.includes(line.replace(/^\+ (\S+) -> nothing$/, '- $1 -> usbfs')),
  );
}

/** The doctor fixes everything, and the host can be used. */
export async function mend(struck: Struck, use: boolean): Promise<string[]> {
  const { sim } = struck;
  const { remaining, failures } = await repair(sim, isClaimedTwice(struck));
  const wrong = [...failures, ...remaining.map(({ finding }) => finding), ...(await struck.invariants())];
  return [...wrong.map((line) => `after the doctor: ${line}`), ...(use ? await useAgain(struck) : [])];
}

/**
 * A single run of the doctor. If another toolstack has given a device away twice (`isTwice`), a second one, if the
 * first says that something is still wrong: the loser of the claim leaves the device to the other without its drivers,
 * or with the host's, which could not be seen before.
 */
export async function repair(sim: SimHost, isTwice = false, isAgain = false): Promise<Diagnosis> {
  const diagnosis = await unharmed(sim, (host) => doctor(host, { fix: true, settleMs: 0 }));
  await sim.idle();
  const isLeft = diagnosis.remaining.length > 0 && isTwice;
  return isLeft && !isAgain ? repair(sim, isTwice, true) : diagnosis;
}

function isClaimedTwice({ fault, operation }: Struck): boolean {
  const { type } = operation.stage;
  return type !== 'pv' && fault.kind === 'deed' && fault.deed === 'rival-takes-device';
}

async function useAgain({ sim, operation, invariants }: Struck): Promise<string[]> {
  const { type, busid, other } = operation.stage;
  const isServed = (domid: number): boolean => type === 'pv' || sim.qemus.get(domid)?.alive === true;
  const living = [1, 2].filter((domid) => sim.guests.has(domid));
  const domain = living.find(isServed) ?? living[0]!;
  const device = sim.usb.device(busid) ? busid : other;
  sim.qemus.get(domain)?.refuseOpen(device, false);
  try {
    await unharmed(sim, async (host) => {
      await detachDevice(host, { device }).catch(() => undefined);
      await attachDevice(host, { domain, device });
      await detachDevice(host, { device });
    });
  } catch (error) {
    const isLost = isPvusbError(error, 'qemu-dead') && !isServed(domain);
    if (!isLost) return [`used again: ${String(error)}`];
  }
  await sim.idle();
  return (await invariants()).map((line) => `used again: ${line}`);
}

/** Checks a success: the invariants hold and the world is the one that it always ends with. */
export async function checkDone(struck: Struck, expected: Snapshot): Promise<string[]> {
  // The doctor reports failures in its result; it is run again like a removal.
  if (struck.operation.name.startsWith('doctor')) return resume(struck, expected);
  // Destroying does not wait for a QEMU that does not answer: the doctor finds what that one keeps.
  const mended = isNotAnswered(struck) ? await mend(struck, false) : [];
  const differs = await differences(struck, expected);
  return [...mended, ...[...(await struck.invariants()), ...differs].map((line) => `done, but ${line}`)];
}

/**
 * After a saved configuration could not be used: it may be wrong, and nothing else differs. The doctor corrects it, so
 * that it ends as always.
 */
export async function checkUnwritten(
  struck: Struck,
  failed: Error | undefined,
  { before, calm }: { readonly before: Snapshot; readonly calm: { readonly end: Snapshot } },
): Promise<string[]> {
  const { operation } = struck;
  const isBefore = failed !== undefined && operation.failing === 'undoes';
  const expected = isBefore ? before : calm.end;
  const isAgain = operation.name.startsWith('doctor') || (failed !== undefined && !isBefore);
  const ended = isAgain ? await resume(struck, expected) : await differences(struck, expected);
  const wrong = ended.filter((line) => !isOfFiles(line.replace(/^I5: /, '')));
  const mended = await mend(struck, false);
  const left = await differences(struck, expected);
  const told = isBefore ? 'I4' : 'done, but';
  return [
    ...wrong.map((line) => (isAgain ? line : `${told}: ${line}`)),
    ...mended,
    ...left.map((line) => `fixed, but ${line}`),
  ];
}

function isNotAnswered({ operation, fault }: Struck): boolean {
  if (!operation.name.startsWith('destroy') || operation.stage.type !== 'devicemodel') return false;
  return fault.kind === 'silence' || (fault.kind === 'monitor' && fault.fate === 'hang');
}

/** I5: run again, it ends as if nothing had happened; a removal that was already complete has nothing to do. */
export async function resume(struck: Struck, expected: Snapshot): Promise<string[]> {
  const { sim, operation } = struck;
  try {
    await unharmed(sim, (host) => operation.run(host));
  } catch (error) {
    if (!isPvusbError(error, 'no-such-controller', 'port-empty')) return [`run again: ${String(error)}`];
    // The controller is gone, although a driver has not taken its interface back: that was reported, with what to do.
    await repair(sim);
  }
  await sim.idle();
  return (await differences(struck, expected)).map((line) => `I5: ${line}`);
}
