/** sysfs of the simulated kernel: the tree as Linux lays it out, links included, with the errnos it returns. */
import type { SysfsFiles } from '../../sysfs/files.js';
import { attributeText, attributeTexts, DEVICE_ATTRIBUTES, INTERFACE_ATTRIBUTES } from './attributes.js';
import { descriptorsOf } from './descriptors.js';
import { type KernelErrno, kernelError } from './errno.js';
import { busOf, isRootHub, parentOf } from './names.js';
import { type PortFiles, portsOf } from './ports.js';
import type { DriverSpec, PluggedDevice, PluggedInterface } from './spec.js';

/** What sysfs shows of a USB core, and what a write to its files asks of it. */
export interface UsbCore {
  /** In the order they were found. */
  readonly devices: readonly PluggedDevice[];
  /** In the order they registered. */
  readonly drivers: readonly DriverSpec[];
  device(busid: string): PluggedDevice | undefined;
  /** Each rejects with the errno that the write returns. */
  bind(driver: string, intf: string): Promise<void>;
  unbind(driver: string, intf: string): Promise<void>;
  probe(intf: string): Promise<void>;
}

interface Folder {
  readonly kind: 'folder';
  names(): string[];
  child(name: string): Entry | undefined;
}

interface Attribute {
  readonly kind: 'attribute';
  /** Absent: only root may write it (mode 0200). */
  readonly text?: string;
  /** Instead of a text. */
  readonly bytes?: Uint8Array;
  readonly write?: (text: string) => Promise<void>;
}

interface Link {
  readonly kind: 'link';
  readonly target: string;
  /** That of the folder that it leads to. */
  readonly child?: Folder['child'];
}

type Entry = Folder | Attribute | Link;

/** Links followed before the path counts as a loop. */
const LINKS_MAX = 40;

/** sysfs of `usb`: `bus/usb` and the part of `devices` that its links lead to. */
export function sysfsFiles(usb: UsbCore): SysfsFiles {
  const root = rootFolder(usb);
  const find = (path: string, call: string, followLast: boolean) => lookup(root, path, call, followLast);
  return {
    async readText(path) {
      return readAttribute(find(path, 'open', true), path).toString();
    },
    async readBytes(path) {
      return readAttribute(find(path, 'open', true), path);
    },
    async list(path) {
      const entry = find(path, 'scandir', true);
      if (entry.kind !== 'folder') throw fault('ENOTDIR', 'scandir', path);
      return entry.names();
    },
    async readLink(path) {
      const entry = find(path, 'readlink', false);
      if (entry.kind !== 'link') throw fault('EINVAL', 'readlink', path);
      return entry.target;
    },
    async writeText(path, text) {
      const entry = find(path, 'open', true);
      if (entry.kind === 'folder') throw fault('EISDIR', 'open', path);
      if (entry.kind !== 'attribute' || !entry.write) throw fault('EACCES', 'open', path);
      await entry.write(text);
    },
  };
}

function readAttribute(entry: Entry, path: string): Buffer {
  if (entry.kind === 'folder') throw fault('EISDIR', 'read', path);
  const content = entry.kind === 'attribute' ? (entry.text ?? entry.bytes) : undefined;
  if (content === undefined) throw fault('EACCES', 'open', path);
  return Buffer.from(content as string);
}

function fault(code: KernelErrno, syscall: string, path: string): NodeJS.ErrnoException {
  return kernelError(code, syscall, `/sys/${path}`);
}

function lookup(root: Folder, path: string, call: string, followLast: boolean): Entry {
  const parents: Folder[] = [];
  let entry: Entry = root;
  // The next name last.
  const todo = path.split('/').reverse();
  for (let links = 0; todo.length > 0; ) {
    const name = todo.pop()!;
    if (name === '' || name === '.') continue;
    if (entry.kind !== 'folder') throw fault('ENOTDIR', call, path);
    if (name === '..') {
      entry = parents.pop() ?? root;
      continue;
    }
    const child = entry.child(name);
    if (!child) throw fault('ENOENT', call, path);
    if (child.kind === 'link' && todo.length === 1) {
      // A scan reads hundreds of attributes; following the link would give the same.
      const last = child.child?.(todo[0]!);
      if (last && (last.kind !== 'link' || !followLast)) return last;
    }
    if (child.kind === 'link' && (todo.length > 0 || followLast)) {
      if (++links > LINKS_MAX) throw fault('ELOOP', call, path);
      todo.push(...child.target.split('/').reverse());
    } else {
      parents.push(entry);
      entry = child;
    }
  }
  return entry;
}

function folder(entries: Readonly<Record<string, () => Entry>>): Folder {
  return {
    kind: 'folder',
    names: () => Object.keys(entries),
    child: (name) => (Object.hasOwn(entries, name) ? entries[name]!() : undefined),
  };
}

function rootFolder(usb: UsbCore): Folder {
  // Made once: every path that is read passes here.
  const [bus, controllers] = [busFolder(usb), controllersFolder(usb)];
  const [above, devices] = [folder({ usb: () => bus }), folder({ 'pci0000:00': () => controllers })];
  return folder({ bus: () => above, devices: () => devices });
}

function busFolder(usb: UsbCore): Folder {
  const [devices, drivers] = [devicesFolder(usb), driversFolder(usb)];
  return folder({
    devices: () => devices,
    drivers: () => drivers,
    drivers_probe: () => ({ kind: 'attribute', write: (text) => usb.probe(nameWritten(text)) }),
  });
}

/** `bus/usb/devices`: a link for each device and interface. */
function devicesFolder(usb: UsbCore): Folder {
  return {
    kind: 'folder',
    names: () => usb.devices.flatMap(({ busid, interfaces }) => [busid, ...interfaces.map(({ id }) => id)]),
    child(name) {
      const device = deviceNamed(usb, name);
      const own = device && deviceFolder(usb, device);
      const shown = name === device?.busid ? own : own?.child(name);
      if (shown?.kind !== 'folder') return undefined;
      return {
        kind: 'link',
        get target() {
          return `../../../${placeOf(usb, name)}`;
        },
        child: shown.child,
      };
    },
  };
}

/** `bus/usb/drivers`: `usb` is the driver of whole devices, the others are for interfaces. */
function driversFolder(usb: UsbCore): Folder {
  return {
    kind: 'folder',
    names: () => ['usb', ...usb.drivers.map(({ name }) => name)],
    child: (name) =>
      name === 'usb' || usb.drivers.some((driver) => driver.name === name)
        ? driverFolder(usb, name)
        : undefined,
  };
}

function driverFolder(usb: UsbCore, driver: string): Folder {
  const bound =
    driver === 'usb'
      ? usb.devices.map(({ busid }) => busid)
      : usb.devices.flatMap(({ interfaces }) =>
          interfaces.filter((intf) => intf.driver === driver).map(({ id }) => id),
        );
  const entries: [string, () => Entry][] = bound.map((name) => [
    name,
    () => ({ kind: 'link', target: `../../../../${placeOf(usb, name)}` }),
  ]);
  if (driver !== 'usb') {
    entries.push(
      ['bind', () => ({ kind: 'attribute', write: (text) => usb.bind(driver, nameWritten(text)) })],
      ['unbind', () => ({ kind: 'attribute', write: (text) => usb.unbind(driver, nameWritten(text)) })],
    );
  }
  entries.push(['uevent', () => ({ kind: 'attribute' })]);
  return folder(Object.fromEntries(entries));
}

/** The kernel compares up to a NUL and ignores one newline at the end (`sysfs_streq`). */
function nameWritten(text: string): string {
  const untilNul = text.split('\0', 1)[0]!;
  return untilNul.endsWith('\n') ? untilNul.slice(0, -1) : untilNul;
}

/** `devices/pci0000:00`: a host controller for each bus. */
function controllersFolder(usb: UsbCore): Folder {
  const hubs = () => usb.devices.filter(({ busid }) => isRootHub(busid));
  return {
    kind: 'folder',
    names: () => hubs().map(({ busid }) => hostController(busid)),
    child(name) {
      // By its number: every path that is read passes here.
      const bus = Number.parseInt(name.slice(8, 10), 16);
      const hub = usb.device(`usb${bus}`);
      if (!hub || hostController(hub.busid) !== name) return undefined;
      return folder({ [hub.busid]: () => deviceFolder(usb, hub) });
    },
  };
}

function hostController(busid: string): string {
  return `0000:00:${busOf(busid).toString(16).padStart(2, '0')}.0`;
}

/** The device that has this name, or an interface with it. */
function deviceNamed(usb: UsbCore, name: string): PluggedDevice | undefined {
  const colon = name.indexOf(':');
  if (colon < 0) return usb.device(name);
  const ofBus = name.slice(0, colon);
  const device = usb.device(ofBus.endsWith('-0') ? `usb${ofBus.slice(0, -2)}` : ofBus);
  return device?.interfaces.some(({ id }) => id === name) ? device : undefined;
}

/** Where a device or an interface is, from sysfs's root: `devices/pci0000:00/0000:00:03.0/usb3/3-5/3-5.1`. */
function placeOf(usb: UsbCore, name: string): string | undefined {
  const device = deviceNamed(usb, name);
  if (!device) return undefined;
  const chain: string[] = device.busid === name ? [] : [name];
  for (let at: string | undefined = device.busid; at !== undefined; at = parentOf(at)) chain.unshift(at);
  return `devices/pci0000:00/${hostController(chain[0]!)}/${chain.join('/')}`;
}

/** Looked up one by one: a scan opens it for every single attribute. */
function deviceFolder(usb: UsbCore, device: PluggedDevice): Folder {
  const depth = (): number => placeOf(usb, device.busid)!.split('/').length;
  const behind = () => usb.devices.filter((other) => parentOf(other.busid) === device.busid);
  return {
    kind: 'folder',
    names: () => [
      ...Object.keys(attributeTexts(DEVICE_ATTRIBUTES, device)),
      'descriptors',
      'driver',
      ...device.interfaces.map(({ id }) => id),
      ...behind().map(({ busid }) => busid),
    ],
    child(name) {
      const text = attributeText(DEVICE_ATTRIBUTES, device, name);
      if (text !== undefined) return { kind: 'attribute', text };
      const intf = device.interfaces.find(({ id }) => id === name);
      if (intf) return interfaceFolder(device, intf, () => depth() + 1);
      if (name === 'descriptors') return { kind: 'attribute', bytes: descriptorsOf(device) };
      if (name === 'driver') {
        return { kind: 'link', target: `${'../'.repeat(depth())}bus/usb/drivers/usb` };
      }
      const other = usb.device(name);
      return other && parentOf(name) === device.busid ? deviceFolder(usb, other) : undefined;
    },
  };
}

function interfaceFolder(device: PluggedDevice, intf: PluggedInterface, depth: () => number): Folder {
  const { driver } = intf;
  return {
    kind: 'folder',
    names: () => [
      ...Object.keys(attributeTexts(INTERFACE_ATTRIBUTES, intf)),
      ...(driver === undefined ? [] : ['driver']),
      ...portsOf(device).keys(),
    ],
    child(name) {
      if (name === 'driver' && driver !== undefined) {
        return { kind: 'link', target: `${'../'.repeat(depth())}bus/usb/drivers/${driver}` };
      }
      const text = attributeText(INTERFACE_ATTRIBUTES, intf, name);
      if (text !== undefined) return { kind: 'attribute', text };
      const port = portsOf(device).get(name);
      return port && portFolder(port);
    },
  };
}

function portFolder({ link, text }: PortFiles): Folder {
  return folder({
    ...(link === undefined ? {} : { peer: () => ({ kind: 'link', target: link }) as const }),
    ...(text === undefined ? {} : { connect_type: () => ({ kind: 'attribute', text }) as const }),
  });
}
