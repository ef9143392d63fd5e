/** What a simulated host does with its devices itself, as real files: its /proc, and more of its /sys. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Entry, SimUsb } from '../kernel/index.js';
import type { Published } from './sysfs.js';

/** Marks a folder that was made here, so that what a killed simulation has left can be removed. */
export const MADE_HERE = 'made-by-pvusb-sim';

/** The folders besides `sys`, which {@link publishSysfs} makes and removes. */
export const USE_FOLDERS = ['proc', 'run'] as const;

/**
 * Shows what the host does with the devices of `usb` in `<dir>/proc`, `<dir>/run` and `<dir>/sys`. Nothing is made while
 * it does nothing with them. Every change of `usb` is in the files before its event ends.
 */
export function publishUses(usb: SimUsb, dir: string): Published {
  let shown: ReadonlyMap<string, Entry> = new Map();
  const made = new Set<string>();
  const show = (): void => {
    const wanted = usb.useEntries();
    for (const [path, entry] of shown) {
      const now = wanted.get(path);
      if (now === undefined || !isSame(now, entry)) rmSync(join(dir, path), { recursive: true, force: true });
    }
    for (const [path, entry] of wanted) write(join(dir, path), entry);
    for (const folder of USE_FOLDERS) {
      if (made.has(folder) || ![...wanted.keys()].some((path) => path.startsWith(`${folder}/`))) continue;
      made.add(folder);
      writeFileSync(join(dir, folder, MADE_HERE), '');
    }
    shown = wanted;
  };
  show();
  const stop = usb.onChange(({ kind }) => {
    if (kind === 'plug' || kind === 'unplug' || kind === 'unbind') show();
  });
  return {
    async close() {
      stop();
      for (const folder of made) rmSync(join(dir, folder), { recursive: true, force: true });
    },
  };
}

function isSame(one: Entry, other: Entry): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function write(path: string, entry: Entry): void {
  mkdirSync(entry.kind === 'folder' ? path : dirname(path), { recursive: true });
  if (entry.kind === 'text') writeFileSync(path, entry.text);
  if (entry.kind === 'link') {
    rmSync(path, { force: true });
    symlinkSync(entry.target, path);
  }
}
