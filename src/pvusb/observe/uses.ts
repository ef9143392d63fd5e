/** Asks what the host itself does with its devices; which of its disks guests have is in xenstore. */
import type { DiskExport, HostUse } from '../../hostuse/index.js';
import type { Busid } from '../../sysfs/busid.js';
import { placesOf } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import { diskBackendsPath, sortedNumbers } from '../model/layout.js';
import type { CallOptions, Host, XenstoreNodes } from './host.js';

/** The backends of guests' disks: the kernel's blkback, and QEMU. */
const DISK_KINDS = ['vbd', 'qdisk'] as const;

/** What a backend says about its disk. */
const DISK_KEYS = ['physical-device', 'physical-device-path', 'params'] as const;

/** Which devices are asked about: all, cheaply; or those that are to be lent, thoroughly. */
export type UsesAsked = 'all' | ((seen: Inventory) => readonly Busid[]);

/** The uses of the devices asked about. A guest's are not the host's, and hubs are not lent. */
export async function observeUses(
  host: Host,
  seen: Inventory,
  asked: UsesAsked,
  call: CallOptions,
): Promise<HostUse[] | undefined> {
  const busids = asked === 'all' ? undefined : new Set(asked(seen));
  const devices = seen.devices.filter(
    ({ busid, kind }) =>
      kind === 'device' && (busids?.has(busid) ?? true) && placesOf(seen, busid).length === 0,
  );
  if (!host.uses) return undefined;
  if (devices.length === 0) return [];
  const exports = () => observeExports(host.xenstore, call);
  return host.uses.usesOf(devices, { ...call, exports, thorough: busids !== undefined });
}

/** Three waves: the disks that domain 0 serves to guests. */
async function observeExports(xenstore: XenstoreNodes, call: CallOptions): Promise<DiskExport[]> {
  const kinds = DISK_KINDS.map((kind) => diskBackendsPath(kind));
  const domains = await xenstore.directoryMany(kinds, call);
  const folders = kinds.flatMap((path, i) =>
    sortedNumbers(domains[i]).map((domid) => ({ domid, path: `${path}/${domid}` })),
  );
  const disks = await xenstore.directoryMany(
    folders.map(({ path }) => path),
    call,
  );
  const backends = folders.flatMap(({ domid, path }, i) =>
    sortedNumbers(disks[i]).map((devid) => ({ domid, path: `${path}/${devid}` })),
  );
  const values = await xenstore.readMany(
    backends.flatMap(({ path }) => DISK_KEYS.map((key) => `${path}/${key}`)),
    call,
  );
  return backends.flatMap(({ domid }, i) => {
    const [numbers, path, params] = values.slice(i * DISK_KEYS.length, (i + 1) * DISK_KEYS.length);
    return disksIn({ domid, numbers, path, params });
  });
}

interface DiskBackend {
  readonly domid: number;
  readonly numbers: string | undefined;
  readonly path: string | undefined;
  readonly params: string | undefined;
}

/** blkback has the numbers of the device in hexadecimal (`8:10` is 8:16); QEMU only a path, after the format (`aio:`). */
function disksIn({ domid, numbers, path, params }: DiskBackend): DiskExport[] {
  const [, major, minor] = /^([0-9a-f]{1,5}):([0-9a-f]{1,5})$/i.exec(numbers ?? '') ?? [];
  const paths = [path, params?.slice(params.indexOf('/'))].filter((text) => text?.startsWith('/dev/'));
  return [
    ...(major === undefined || minor === undefined
      ? []
      : [{ domid, device: `${Number.parseInt(major, 16)}:${Number.parseInt(minor, 16)}` }]),
    ...[...new Set(paths)].map((text) => ({ domid, path: text! })),
  ];
}
