/** Trees of /sys and /proc for the tests of what the host does with its devices: files, written to a folder. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { type HostUse, openHostUses, type UsesOptions } from '../../src/hostuse/index.js';
import { parseBusid, parseDriverName, parseInterfaceId, type UsbDevice } from '../../src/sysfs/index.js';

/** Texts by path (`proc/swaps`); a link's target begins with `-> `; a path that ends with `/` is an empty folder. */
export type Tree = Readonly<Record<string, string>>;

/** Where the host's controllers are. */
const PCI = 'devices/pci0000:00/0000:00:05.0';

/** The folder of a USB device in sysfs, below its root: `devices/pci0000:00/0000:00:05.0/usb3/3-5/3-5.1`. */
export function deviceFolder(busid: string): string {
  const [bus, ports = ''] = busid.split('-');
  const chain = ports.split('.').map((_, i, all) => `${bus}-${all.slice(0, i + 1).join('.')}`);
  return [PCI, `usb${bus}`, ...chain].join('/');
}

/** A disk or a partition (`sdb`, `sdb1`) of a USB device, or a virtual one. */
export function block(name: string, number: string, busid?: string): Tree {
  const disk = /^sd[a-z]+/.exec(name)?.[0] ?? name;
  const rest = name === disk ? disk : `${disk}/${name}`;
  const folder = busid
    ? `${deviceFolder(busid)}/${busid}:1.0/host0/target0:0:0/0:0:0:0/block/${rest}`
    : `devices/virtual/block/${name}`;
  return {
    [`sys/${folder}/dev`]: `${number}\n`,
    [`sys/${folder}/holders/`]: '',
    [`sys/class/block/${name}`]: `-> ../../${folder}`,
  };
}

/** A holder of a block device of a USB device. */
export function held(name: string, busid: string, holder: string): Tree {
  const disk = /^sd[a-z]+/.exec(name)![0];
  const rest = name === disk ? disk : `${disk}/${name}`;
  const folder = `${deviceFolder(busid)}/${busid}:1.0/host0/target0:0:0/0:0:0:0/block/${rest}`;
  return { [`sys/${folder}/holders/${holder}`]: `-> ../../../virtual/block/${holder}` };
}

/** A device-mapper device. */
export function mapper(name: string, number: string, title: string, uuid: string): Tree {
  const folder = `sys/devices/virtual/block/${name}`;
  return { ...block(name, number), [`${folder}/dm/name`]: `${title}\n`, [`${folder}/dm/uuid`]: `${uuid}\n` };
}

/** Something of a class that is on a USB device: `tty`, `net`, `sound`... */
export function classed(kind: string, name: string, busid?: string): Tree {
  const folder = busid
    ? `${deviceFolder(busid)}/${busid}:1.0/${kind}/${name}`
    : `devices/virtual/${kind}/${name}`;
  return { [`sys/${folder}/uevent`]: '', [`sys/class/${kind}/${name}`]: `-> ../../${folder}` };
}

/** The folder of a network interface, below sysfs's root. */
export function nicFolder(name: string, busid?: string): string {
  return busid ? `sys/${deviceFolder(busid)}/${busid}:1.0/net/${name}` : `sys/devices/virtual/net/${name}`;
}

/** A USB device as the scan finds it. */
export function device(busid: string, interfaces: Readonly<Record<string, string>> = {}): UsbDevice {
  const all = Object.entries(Object.keys(interfaces).length > 0 ? interfaces : { '08/06/50': 'usb-storage' });
  return {
    busid: parseBusid(busid)!,
    kind: 'device',
    bus: Number.parseInt(busid, 10),
    address: 9,
    vendorId: '46f4',
    productId: '0001',
    deviceClass: '00',
    speedMbps: 480,
    interfaces: all.map(([classes, driver], number) => {
      const id = parseInterfaceId(`${busid}:1.${number}`)!;
      const bound = parseDriverName(driver);
      return { id, number, classes, ...(bound === undefined ? {} : { driver: bound }) };
    }),
  };
}

/** Writes trees to a new folder, later ones over earlier ones, and returns it. */
export function writeTrees(test: TestContext, ...trees: readonly Tree[]): string {
  const root = mkdtempSync(join(tmpdir(), 'pvusb-hostuse-'));
  test.after(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries(Object.assign({}, ...trees) as Tree)) {
    const file = join(root, path);
    mkdirSync(path.endsWith('/') ? file : dirname(file), { recursive: true });
    if (path.endsWith('/')) continue;
    if (text.startsWith('-> ')) symlinkSync(text.slice(3), file);
    else writeFileSync(file, text);
  }
  return root;
}

/** What is found below a folder. */
export function usesIn(
  root: string,
  devices: readonly UsbDevice[],
  options: UsesOptions = {},
): Promise<HostUse[]> {
  const [sysfsRoot, procRoot, devRoot, runRoot] = ['sys', 'proc', 'dev', 'run'].map((name) =>
    join(root, name),
  );
  return openHostUses({ sysfsRoot: sysfsRoot!, procRoot: procRoot!, devRoot: devRoot!, runRoot }).usesOf(
    devices,
    options,
  );
}

/** A use on one line: `1-1 refuse mounted: sdb1 on it is mounted at /srv`. */
export function told({ busid, grade, use, sentence }: HostUse): string {
  return `${busid} ${grade} ${use}: ${sentence}`;
}
