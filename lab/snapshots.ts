/** Machines in the middle of their life, as folders of disks and a state: started from in seconds, by many at once. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Built } from './build.js';
import { imageFiles } from './image.js';
import type { MachineFiles, MachineOptions } from './machine.js';
import { STICKS, type StickName, stickImage } from './media.js';
import { saveState } from './monitor.js';
import { cacheFolder, shortKey } from './paths.js';
import { powerOff } from './power.js';
import { run } from './process.js';

/** `base`: dom0 is up. `guests`: and its guests. */
export type SnapshotName = 'base' | 'guests';

/** Where a snapshot is, if there is one, of what was built and for this kind of machine. */
export function snapshotFolder(name: SnapshotName, built: Built, options: MachineOptions): string {
  const { cpu, store, kvm } = options;
  return join(snapshotsFolder(), `${name}-${cpu}-${store}-${shortKey(built.key, kvm ? 'kvm' : 'tcg')}`);
}

/** The state in a snapshot's folder. */
export function stateFile(folder: string): string {
  return join(folder, 'state');
}

/** Makes a lab's disks: what it writes goes there, and nowhere else. */
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

/** Makes a snapshot of a machine, which ends by that. Snapshots of older images are removed. */
export async function makeSnapshot(files: MachineFiles, folder: string): Promise<void> {
  const parent = snapshotsFolder();
  await mkdir(parent, { recursive: true });
  const temporary = await mkdtemp(join(parent, '.new-'));
  try {
    await saveState(files.qmpSocket, stateFile(temporary));
    await powerOff(files);
    await rename(files.disk, join(temporary, 'disk.qcow2'));
    for (const name of Object.keys(STICKS)) {
      await rename(files.stick(name), join(temporary, `${name}.qcow2`));
    }
    if (!existsSync(folder)) await rename(temporary, folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  const [kind] = folder.split('/').at(-1)!.match(/^.*-/)!;
  for (const other of await readdir(parent)) {
    const path = join(parent, other);
    if (other.startsWith(kind) && path !== folder) await rm(path, { recursive: true });
  }
}

/** Removes all snapshots. */
export async function forgetSnapshots(): Promise<void> {
  await rm(snapshotsFolder(), { recursive: true, force: true });
}

function snapshotsFolder(): string {
  return join(cacheFolder(), 'snapshots');
}
