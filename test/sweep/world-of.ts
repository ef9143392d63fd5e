/** The world of a host for comparing two of them: xenstore, drivers, saved configurations, and what the QEMUs have. */
import type { SimHost, SimQemu } from '../../src/sim/index.js';
import { type Snapshot, snapshot } from '../core/support/invariants.js';
import { SavedFiles } from './saved-files.js';

/** Everything. */
export async function worldOf(sim: SimHost): Promise<Snapshot> {
  const qemus = await Promise.all([...sim.qemus.values()].map(linesOf));
  const saved = [...SavedFiles.of(sim).texts].flatMap(([domid, text]) =>
    text.split('\n').map((line, i) => `file ${domid}:${i + 1}: ${JSON.stringify(line)}`),
  );
  return [...snapshot(sim), ...saved, ...qemus.flat()];
}

/** Whether a line of a difference is about a saved configuration. */
export function isOfFiles(line: string): boolean {
  return /^[-+] file \d+:/.test(line);
}

/** Whether a line of a world is about a QEMU. */
export function isOfQemus(line: string): boolean {
  return /^[-+] QEMU \d+ /.test(line);
}

/** The numbers of the controllers that a QEMU emulates. */
export async function emulatedBy(qemu: SimQemu): Promise<number[]> {
  const peripherals = await peripheralsOf(qemu);
  return peripherals.flatMap(({ name }) => {
    const devid = /^xenusb-(\d+)$/.exec(name)?.[1];
    return devid === undefined ? [] : Number(devid);
  });
}

async function linesOf(qemu: SimQemu): Promise<string[]> {
  const { domid, alive, held } = qemu;
  if (!alive) return [`QEMU ${domid} is dead`];
  const peripherals = await peripheralsOf(qemu);
  const lines = [
    ...peripherals.map(({ name, type }) => `QEMU ${domid} has ${name}, ${type}`),
    ...held.map((busid) => `QEMU ${domid} holds ${busid}`),
  ];
  return lines.sort();
}

async function peripheralsOf(qemu: SimQemu): Promise<{ readonly name: string; readonly type: string }[]> {
  if (!qemu.alive) return [];
  const list = (await qemu.execute('qom-list', { path: '/machine/peripheral' })) as {
    readonly name: string;
    readonly type: string;
  }[];
  return list.filter(({ type }) => type.startsWith('child<'));
}
