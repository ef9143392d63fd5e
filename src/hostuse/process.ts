/** Processes by number and start, so that another one with the same number is not taken for it (proc(5)). */
import type { HostFiles } from './files.js';
import { type HostRoots, nodeHostFiles } from './node-files.js';
import { namesIn, textAt } from './soft.js';

/** The 22nd field of `/proc/PID/stat`: when the process began, in ticks since the machine did. */
const START_FIELD = 22;

/** The processes of a host. */
interface Processes {
  /** `<pid> <start>` of a process; undefined when there is none. */
  announcementOf(pid: number): Promise<string | undefined>;
  /** Whether the process is alive that an announcement is of. */
  isAlive(announcement: string): Promise<boolean>;
  /** This user's processes for whose command line this is true: its words, the program first. */
  find(isMeant: (untrustedWords: readonly string[]) => boolean): Promise<string[]>;
}

/** The processes of the host whose files are below `roots`. */
export function openProcesses(roots: HostRoots): Processes {
  const files = nodeHostFiles(roots);
  return {
    announcementOf: (pid) => announcementOf(files, pid),
    async isAlive(announcement) {
      const [, pid] = /^([1-9]\d{0,9}) \d+$/.exec(announcement) ?? [];
      return pid !== undefined && (await announcementOf(files, Number(pid))) === announcement;
    },
    async find(isMeant) {
      const pids = (await namesIn(files, 'proc')).filter((name) => /^\d+$/.test(name));
      const found = pids.map(async (pid) => {
        // Each word ends with a zero.
        const words = (await textAt(files, `proc/${pid}/cmdline`)).split('\0').slice(0, -1);
        if (!isMeant(words)) return undefined;
        // Anybody can start a process that is called like this.
        const [, owner] = /^Uid:\t\d+\t(\d+)/m.exec(await textAt(files, `proc/${pid}/status`)) ?? [];
        return owner === String(process.geteuid?.()) ? announcementOf(files, Number(pid)) : undefined;
      });
      return (await Promise.all(found)).filter((one) => one !== undefined);
    },
  };
}

async function announcementOf(files: HostFiles, pid: number): Promise<string | undefined> {
  let text: string;
  try {
    text = await files.readText(`proc/${pid}/stat`);
  } catch {
    return undefined;
  }
  // The name is in parentheses, and can hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const start = fields[START_FIELD - 3];
  // It has ended, and its parent has not asked for its status yet.
  if (fields[0] === 'Z') return undefined;
  return start !== undefined && /^\d+$/.test(start) ? `${pid} ${start}` : undefined;
}
