/** Starts labs: by booting, or from a snapshot. */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { LabError } from '../base/error.js';
import { provideFolder } from '../base/folders.js';
import { cacheFolder } from '../base/paths.js';
import { progress } from '../base/progress.js';
import { build } from '../build/build.js';
import { isSuite, SUITES, type Suite } from '../debian/suites.js';
import { type MachineFiles, type MachineOptions, qemuArguments } from '../machine/machine.js';
import { loadState, plugIn } from '../machine/monitor.js';
import { freePort, powerOff, powerOn, waitForBoot } from '../machine/power.js';
import { filesOf, makeRoom, readRecord, writeRecord } from '../machine/running.js';
import {
  fillSnapshot,
  makeDisks,
  type SnapshotName,
  snapshotFolder,
  stateFile,
} from '../machine/snapshots.js';
import { busidOf, USB_DEVICES, unsavedDevices } from '../machine/usb.js';
import { GUESTS, type GuestName, Lab } from './lab.js';

/** How a lab is started. */
export interface LabOptions extends Partial<MachineOptions> {
  /** Labs with different names run side by side; `default` unless given. */
  readonly name?: string | undefined;
  /** Start from this snapshot, instead of booting; if there is none, it is made first. */
  readonly warm?: SnapshotName | undefined;
}

const MOUNT_SHARE = 'mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 host /host';

/**
 * Starts a lab, building first what is missing or older than its sources.
 *
 * @throws {LabError} when a lab with this name is running, or dom0 does not come up
 */
export async function startLab(chosen: LabOptions = {}): Promise<Lab> {
  const { name = 'default', warm, release = chosenRelease() } = chosen;
  const { cpu = 'pv', store = 'c', init = 'busybox', kvm = byKvm(), icount = false } = chosen;
  const nothing = join(cacheFolder(), 'nothing');
  await mkdir(nothing, { recursive: true });
  const options: MachineOptions = {
    release,
    cpu,
    store,
    init,
    kvm,
    icount,
    share: resolve(chosen.share ?? nothing),
  };
  const files = await makeRoom(name);
  const built = await build(release);
  const snapshot =
    warm &&
    (await provideFolder(snapshotFolder(warm, built, options), (folder) =>
      makeSnapshot(folder, name, warm, options),
    ));
  await makeDisks(files, built, snapshot);
  const record = { name, sshPort: await freePort(), options };
  await writeRecord(record);
  const lab = new Lab(record);
  try {
    progress(snapshot ? `resuming from the snapshot ${warm}` : 'booting Xen and dom0');
    await powerOn(qemuArguments(name, built, files, record.sshPort, options, snapshot !== undefined));
    if (snapshot) await wake(lab, files, snapshot);
    else await waitForBoot(files);
    await lab.waitForDevices(Object.values(USB_DEVICES).map(busidOf));
    if (chosen.share !== undefined) await lab.dom0(MOUNT_SHARE);
  } catch (error) {
    await powerOff(files);
    throw error;
  }
  progress(`the lab ${name} is up`);
  return lab;
}

/** Turns the machine off, as a power failure after a `sync` does, and boots it again from its disk. */
export async function rebootLab(lab: Lab): Promise<void> {
  const files = filesOf(lab.name);
  const { sshPort } = await readRecord(lab.name);
  await lab.dom0('sync');
  await lab.disconnect();
  progress('rebooting Xen and dom0');
  await powerOff(files);
  await powerOn(
    qemuArguments(lab.name, await build(lab.options.release), files, sshPort, lab.options, false),
  );
  await waitForBoot(files);
  await lab.waitForDevices(Object.values(USB_DEVICES).map(busidOf));
}

/** Whether `PVUSB_LAB_KVM` makes labs use /dev/kvm unless told otherwise: for the suites. */
export function byKvm(): boolean {
  return process.env.PVUSB_LAB_KVM === '1';
}

/** The release of Debian that `PVUSB_LAB_RELEASE` names: for the suites. Otherwise Debian 13. */
export function chosenRelease(): Suite {
  const name = process.env.PVUSB_LAB_RELEASE || 'trixie';
  if (!isSuite(name))
    throw new LabError(`PVUSB_LAB_RELEASE is ${name}, not one of ${Object.keys(SUITES).join(', ')}`);
  return name;
}

/** Resumes from a snapshot, sets the clock and adds the devices that no snapshot has. */
async function wake(lab: Lab, { qmpSocket }: MachineFiles, snapshot: string): Promise<void> {
  await loadState(qmpSocket, stateFile(snapshot));
  for (const [id, device] of unsavedDevices()) await plugIn(qmpSocket, id, device);
  await lab.dom0(`date -s @${Math.floor(Date.now() / 1000)}`);
}

/** The name of the lab from which a snapshot for the lab with this name is made. */
export function snapshotLab(name: string): string {
  return `${name}.snapshot`;
}

/** Makes a snapshot. If several processes do this at once, one of their snapshots is kept. */
async function makeSnapshot(
  folder: string,
  name: string,
  warm: SnapshotName,
  { release, cpu, store, init, kvm, icount }: MachineOptions,
): Promise<void> {
  progress(`making the snapshot ${warm}`);
  await using lab = await startLab({ release, cpu, store, init, kvm, icount, name: snapshotLab(name) });
  if (warm === 'guests') {
    const isPossible = (guest: GuestName) => GUESTS[guest] === 'pv' || cpu === 'hvm' || kvm;
    const guests = (Object.keys(GUESTS) as GuestName[]).filter(isPossible);
    for (const guest of guests) await lab.startGuest(guest);
    // Emulated hardware virtualization is not perfect: a PVH guest may crash while an HVM guest boots, and is then
    // restarted.
    for (const guest of guests) await lab.guest(guest, 'true');
  }
  for (const [id] of unsavedDevices()) await lab.unplug(id);
  await lab.dom0('sync');
  await lab.disconnect();
  progress('saving');
  await fillSnapshot(folder, filesOf(lab.name));
}
