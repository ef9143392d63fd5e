/** Looks through all processes: who has device files open, and which mounts only others see. Takes a while. */
import type { Busid } from '../sysfs/busid.js';
import type { UsbDevice } from '../sysfs/device.js';
import type { HostFiles } from './files.js';
import { type Mount, parseMountinfo } from './mounts.js';
import { ownerOf } from './owner.js';
import type { DeviceFile, Holder } from './programs.js';
import { classPaths, namesIn, textAt } from './soft.js';

/** The classes whose devices have files, and where these are below /dev. */
const CLASSES: Readonly<Record<string, readonly string[]>> = {
  block: [''],
  scsi_generic: [''],
  tty: [''],
  hidraw: [''],
  video4linux: [''],
  input: ['input/'],
  sound: ['snd/'],
  // Each driver decides for itself: usb/lp0, usb/hiddev0, cdc-wdm0.
  usbmisc: ['usb/', ''],
};

/** The device files of these devices. */
export async function readDeviceFiles(
  files: HostFiles,
  devices: readonly UsbDevice[],
): Promise<DeviceFile[]> {
  const busids = new Set(devices.map(({ busid }) => busid));
  const ofClasses = await Promise.all(
    Object.entries(CLASSES).map(async ([kind, folders]) => {
      const paths = await classPaths(files, kind);
      return [...paths].flatMap(([name, path]): DeviceFile[] => {
        const busid = ownerOf(path);
        if (busid === undefined || !busids.has(busid)) return [];
        return folders.map((folder) => ({ busid, kind, path: `/dev/${folder}${name}` }));
      });
    }),
  );
  const ofDevices = devices.map(({ busid, bus, address }): DeviceFile => {
    const [folder, name] = [bus, address].map((number) => String(number).padStart(3, '0'));
    return { busid, kind: 'usb', path: `/dev/bus/usb/${folder}/${name}` };
  });
  return [...ofClasses.flat(), ...ofDevices];
}

/** What processes have and see. */
export interface ProcessFacts {
  readonly holders: readonly Holder[];
  readonly otherMounts: readonly Mount[];
}

/** Who has one of these files open, and what is mounted in other mount namespaces. This process is left out. */
export async function readProcesses(
  files: HostFiles,
  wanted: ReadonlySet<string>,
  signal: AbortSignal | undefined,
): Promise<ProcessFacts> {
  const [names, self] = await Promise.all([
    namesIn(files, 'proc'),
    files.readLink('proc/self').catch(() => undefined),
  ]);
  const pids = names.filter((name) => /^\d+$/.test(name) && name !== self);
  const opens = await Promise.all(pids.map((pid) => readOpen(files, pid, wanted)));
  signal?.throwIfAborted();
  return { holders: opens.flat(), otherMounts: await readOtherMounts(files, pids) };
}

async function readOpen(files: HostFiles, pid: string, wanted: ReadonlySet<string>): Promise<Holder[]> {
  const folder = `proc/${pid}/fd`;
  const fds = await namesIn(files, folder);
  const targets = await Promise.all(fds.map((fd) => files.readLink(`${folder}/${fd}`).catch(() => '')));
  const open = [...new Set(targets)].filter((path) => wanted.has(path));
  if (open.length === 0) return [];
  const untrustedCommand = await commandOf(files, pid);
  return open.map((path) => ({ path, pid: Number(pid), untrustedCommand }));
}

/** One process of each namespace other than ours is asked. */
async function readOtherMounts(files: HostFiles, pids: readonly string[]): Promise<Mount[]> {
  const spaceOf = (pid: string): Promise<string | undefined> =>
    files.readLink(`proc/${pid}/ns/mnt`).catch(() => undefined);
  const [own, ...spaces] = await Promise.all(['self', ...pids].map(spaceOf));
  const asked = pids.filter(
    (_, i) => spaces[i] !== undefined && spaces[i] !== own && spaces.indexOf(spaces[i]) === i,
  );
  const mounts = await Promise.all(
    asked.map(async (pid) => {
      const [text, command] = await Promise.all([
        textAt(files, `proc/${pid}/mountinfo`),
        commandOf(files, pid),
      ]);
      const where = `in the mount namespace of ${command || 'process'} (${pid})`;
      return parseMountinfo(text).map((mount) => ({
        ...mount,
        untrustedAt: `${mount.untrustedAt} ${where}`,
      }));
    }),
  );
  return mounts.flat();
}

async function commandOf(files: HostFiles, pid: string): Promise<string> {
  return (await textAt(files, `proc/${pid}/comm`)).replace(/\n$/, '');
}

/** The sound cards of these devices, and what their streams do. */
export async function readSound(
  files: HostFiles,
  busids: ReadonlySet<Busid>,
): Promise<{ busid: Busid; name: string; statuses: string[] }[]> {
  const cards = [...(await classPaths(files, 'sound'))].flatMap(([name, path]) => {
    const busid = ownerOf(path);
    return /^card\d+$/.test(name) && busid !== undefined && busids.has(busid) ? [{ busid, name }] : [];
  });
  return Promise.all(
    cards.map(async ({ busid, name }) => {
      const streams = (await namesIn(files, `proc/asound/${name}`)).filter((entry) =>
        entry.startsWith('pcm'),
      );
      const subs = await Promise.all(
        streams.map(async (stream) => {
          const folder = `proc/asound/${name}/${stream}`;
          const parts = (await namesIn(files, folder)).filter((entry) => entry.startsWith('sub'));
          return parts.map((part) => `${folder}/${part}/status`);
        }),
      );
      return { busid, name, statuses: await Promise.all(subs.flat().map((path) => textAt(files, path))) };
    }),
  );
}
