/** What is known about a running lab, in files: so one process can start it, and others use it. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError } from '../base/error.js';
import { labFolder, socketFolder } from '../base/paths.js';
import { type MachineFiles, type MachineOptions, machineFiles } from './machine.js';
import { runningPid } from './power.js';

/** What is known about a running lab. */
export interface LabRecord {
  readonly name: string;
  /** The port of this machine that leads to dom0. */
  readonly sshPort: number;
  readonly options: MachineOptions;
}

/** The files of the lab with this name. */
export function filesOf(name: string): MachineFiles {
  return machineFiles(labFolder(name), socketFolder(name));
}

/**
 * Makes room for a lab with this name, which must not be running.
 *
 * @throws {LabError} when it is running, or when no lab can have this name
 */
export async function makeRoom(name: string): Promise<MachineFiles> {
  if (!/^[\w.-]{1,40}$/.test(name))
    throw new LabError(`${name}: a lab's name consists of letters and digits`);
  const files = filesOf(name);
  if ((await runningPid(files)) !== undefined) {
    throw new LabError(`the lab ${name} is already running; npm run lab:stop -- --name ${name}`);
  }
  for (const folder of [labFolder(name), socketFolder(name)]) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
  }
  return files;
}

/** Writes what {@link readRecord} reads. */
export async function writeRecord(record: LabRecord): Promise<void> {
  await writeFile(recordPath(record.name), JSON.stringify(record));
}

/**
 * Reads what is known about a lab.
 *
 * @throws {LabError} when none with this name is running
 */
export async function readRecord(name: string): Promise<LabRecord> {
  if ((await runningPid(filesOf(name))) === undefined) {
    throw new LabError(`the lab ${name} is not running; npm run lab:start -- --name ${name}`);
  }
  return JSON.parse(await readFile(recordPath(name), 'utf8')) as LabRecord;
}

function recordPath(name: string): string {
  return join(labFolder(name), 'lab.json');
}
