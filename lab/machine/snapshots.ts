/** Snapshots of running machines, as folders of disks and a state: labs start from them in seconds, many at once. */
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, shortKey } from '../base/paths.js';
import { run } from '../base/process.js';
import type { Built } from '../build/build.js';
import { imageFiles } from '../build/image.js';
import { STICKS, type StickName, stickImage } from '../build/media.js';
import type { MachineFiles, MachineOptions } from './machine.js';
import { saveState } from './monitor.js';
import { powerOff } from './power.js';

/** `base`: dom0 is up. `guests`: so are its guests. */
export type SnapshotName = 'base' | 'guests';

/** Where the snapshot for what was built and for this kind of machine is, if there is one. */
export function snapshotFolder(name: SnapshotName, built: Built, options: MachineOptions): string {
  const { release, cpu, store, init, kvm, icount } = options;
  const accelerator = kvm ? 'kvm' : icount ? 'icount' : 'tcg';
  return join(
    snapshotsFolder(),
    `${name}-${release}-${cpu}-${store}-${shortKey(built.key, accelerator, init)}`,
  );
}

/** The state in a snapshot's folder. */
export function stateFile(folder: string): string {
  return join(folder, 'state');
}

/** Makes a lab's disks: what it writes goes only there. */
export async function makeDisks(files: MachineFiles, built: Built, snapshot?: string): Promise<void> {
  const below = (name: string, image: string): string[] =>
    snapshot === undefined
      ? ['-F', 'raw', '-b', image]
      : ['-F', 'qcow2', '-b', join(snapshot, `${name}.qcow2`)];
  const make = (target: string, base: readonly string[]) =>
    run('qemu-img', ['create', '-q', '-f', 'qcow2', ...base, target]);
  await make(files.disk, below('disk', imageFiles.disk(built.image)));
  for (const name of Object.keys(STICKS) as StickName[]) {
    await make(files.stick(name), below(name, stickImage(built.media, name)));
  }
}

/** Fills the folder of a snapshot from a machine, which ends with that. */
export async function fillSnapshot(folder: string, files: MachineFiles): Promise<void> {
  await saveState(files.qmpSocket, stateFile(folder));
  await powerOff(files);
  await rename(files.disk, join(folder, 'disk.qcow2'));
  for (const name of Object.keys(STICKS) as StickName[]) {
    await rename(files.stick(name), join(folder, `${name}.qcow2`));
  }
}

/** Removes all snapshots. */
export async function forgetSnapshots(): Promise<void> {
  await rm(snapshotsFolder(), { recursive: true, force: true });
}

function snapshotsFolder(): string {
  return join(cacheFolder(), 'snapshots');
}
