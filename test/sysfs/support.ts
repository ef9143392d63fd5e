/** What the tests of the sysfs client share: a recorded tree, files that fail on demand, a fast clock. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Clock } from '../../src/async/index.js';
import { SysfsError, type SysfsFiles, type UsbDevice } from '../../src/sysfs/index.js';
import { projectRoot } from '../xenstored/fetch.js';

/** Attributes by device or interface, without their newline; `driver` is a link's target after `-> `. */
type Recorded = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The recorded host. */
export function recordedHost(): Recorded {
  return JSON.parse(readFileSync(join(projectRoot(), 'test/fixtures/sysfs/host.json'), 'utf8')) as Recorded;
}

/** Writes a recorded tree as files below a new folder, as sysfs has it, and returns the folder. */
export function writeTree(test: TestContext, recorded: Recorded): string {
  const root = mkdtempSync(join(tmpdir(), 'pvusb-sysfs-'));
  test.after(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, 'bus/usb/devices'), { recursive: true });
  mkdirSync(join(root, 'bus/usb/drivers/usb'), { recursive: true });
  for (const [name, attributes] of Object.entries(recorded)) {
    mkdirSync(join(root, 'devices/pci0000:00', name), { recursive: true });
    symlinkSync(`../../../devices/pci0000:00/${name}`, join(root, 'bus/usb/devices', name));
    for (const [attribute, value] of Object.entries(attributes)) {
      const path = join(root, 'devices/pci0000:00', name, attribute);
      if (value.startsWith('-> ')) {
        symlinkSync(value.slice(3), path);
        mkdirSync(join(root, 'bus/usb/drivers', value.slice(value.lastIndexOf('/') + 1)), {
          recursive: true,
        });
      } else writeFileSync(path, `${value}\n`);
    }
  }
  return root;
}

/** A Node error like those of the file system. */
export function errno(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: made up`), { code });
}

/** For `assert.rejects`: an error of sysfs with this code and operation. */
export function fails(code: string, operation?: string): (error: unknown) => boolean {
  return (error) =>
    error instanceof SysfsError &&
    error.code === code &&
    (operation === undefined || error.operation === operation);
}

/** sysfs in a map, with faults: an Error in place of a text is thrown. */
export class MapFiles implements SysfsFiles {
  /** By path below sysfs's root; a link's target begins with `-> `. */
  readonly entries = new Map<string, string | Error>();
  /** What was written, each as `path text`. */
  readonly writes: string[] = [];
  /** Called before each read and after each write. */
  onRead: (path: string) => void = () => {};
  onWrite: (path: string, text: string) => void = () => {};

  constructor(recorded: Recorded = {}) {
    for (const [name, attributes] of Object.entries(recorded)) {
      for (const [attribute, value] of Object.entries(attributes)) {
        this.set(`${name}/${attribute}`, value.startsWith('-> ') ? value : `${value}\n`);
      }
    }
  }

  /** Sets or removes an attribute of `bus/usb/devices`. */
  set(path: string, value: string | Error | undefined): void {
    if (value === undefined) this.entries.delete(`bus/usb/devices/${path}`);
    else this.entries.set(`bus/usb/devices/${path}`, value);
  }

  /** Removes a device's or an interface's folder. */
  remove(name: string): void {
    for (const path of [...this.entries.keys()]) {
      if (path.startsWith(`bus/usb/devices/${name}/`)) this.entries.delete(path);
    }
  }

  async readText(path: string): Promise<string> {
    return this.#find(path);
  }

  async readBytes(path: string): Promise<Uint8Array> {
    return Buffer.from(this.#find(path), 'latin1');
  }

  async readLink(path: string): Promise<string> {
    return this.#find(path).slice(3);
  }

  async list(path: string): Promise<string[]> {
    const below = [...this.entries.keys()].filter((name) => dirname(name).startsWith(path));
    if (below.length === 0) throw errno('ENOENT');
    return [...new Set(below.map((name) => name.slice(path.length + 1).split('/', 1)[0]!))];
  }

  async writeText(path: string, text: string): Promise<void> {
    this.writes.push(`${path} ${text}`);
    this.onWrite(path, text);
  }

  #find(path: string): string {
    this.onRead(path);
    const entry = this.entries.get(path);
    if (entry === undefined) throw errno('ENOENT');
    if (entry instanceof Error) throw entry;
    return entry;
  }
}

/** A clock on which waiting takes no time. */
export class QuickClock implements Clock {
  /** Milliseconds waited. */
  waitedMs = 0;
  /** Called after each wait. */
  onSleep: () => void = () => {};

  nowMs(): number {
    return this.waitedMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.waitedMs += ms;
    this.onSleep();
  }
}

/** One line per device: what the tests compare. */
export function brief({
  busid,
  kind,
  bus,
  address,
  vendorId,
  productId,
  speedMbps,
  interfaces,
}: UsbDevice): string {
  const list = interfaces.map(({ id, classes, driver }) => `${id}=${classes}=${driver ?? '-'}`);
  return [busid, kind, `${bus}:${address}`, `${vendorId}:${productId}`, speedMbps, ...list].join(' ');
}
