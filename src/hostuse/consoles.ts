/** Serial lines that the kernel's messages go to. Pure. */
import type { Busid } from '../sysfs/busid.js';
import { ownerOf } from './owner.js';
import { describeUse, type HostUse } from './use.js';

/** The names of the consoles in `/proc/consoles`, or in `/sys/class/tty/console/active`, which has them in one line. */
export function parseConsoles(consoles: string, active: string): string[] {
  const listed = consoles.split('\n').flatMap((line) => line.split(/\s/, 1)[0] || []);
  return [...new Set([...listed, ...active.split(/\s+/)])].filter((name) => /^[\w-]+$/.test(name));
}

/** The consoles on these devices; `paths` are the folders of terminals in sysfs by name. */
export function consoleUses(
  consoles: readonly string[],
  paths: ReadonlyMap<string, string>,
  busids: ReadonlySet<Busid>,
): HostUse[] {
  return consoles.flatMap((name) => {
    const busid = ownerOf(paths.get(name) ?? '');
    return busid !== undefined && busids.has(busid)
      ? [describeUse({ busid, use: 'kernel-console', untrustedName: name })]
      : [];
  });
}
