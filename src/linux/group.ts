/** Groups of this machine, as `/etc/group` has them. */
import { readFile } from 'node:fs/promises';

/** The number of a group; undefined if there is none of that name. A number stands for itself. */
export async function groupNamed(name: string, file = '/etc/group'): Promise<number | undefined> {
  if (/^\d{1,9}$/.test(name)) return Number(name);
  const lines = (await readFile(file, 'utf8')).split('\n').map((line) => line.split(':'));
  const gid = lines.find(([group]) => group === name)?.[2];
  return gid !== undefined && /^\d{1,10}$/.test(gid) ? Number(gid) : undefined;
}
