/** What a dom0 looks like, to compare before and after. */
import { LabError } from '../base/error.js';
import type { Ssh } from '../machine/ssh.js';

/** What USB lending may change in a dom0. */
export interface Dom0State {
  /** Interface to driver: `3-6:1.0` to `snd-usb-audio`, or `-` for none. */
  readonly drivers: Readonly<Record<string, string>>;
  /** Path to value and permissions, as `xenstore-ls -fp` prints them. */
  readonly xenstore: Readonly<Record<string, string>>;
  /** Path to md5, of the files in `/var/lib/xen`, where libxl stores what it knows about domains. */
  readonly files: Readonly<Record<string, string>>;
}

/** The command for each in dom0, and the form of its lines. */
const ASKED = {
  drivers: ['usb-drivers', /^(?<key>\S+) (?<value>\S+)$/],
  xenstore: ['xenstore-ls -fp /', /^(?<key>\/\S*) = (?<value>.*)$/],
  files: ['find /var/lib/xen -type f -exec md5sum {} +', /^(?<value>\S+) {2}(?<key>.*)$/],
} as const;

const PARTS = ['drivers', 'xenstore', 'files'] as const;

/** Looks at a dom0. */
export async function readState(ssh: Ssh): Promise<Dom0State> {
  return {
    drivers: await readPart(ssh, 'drivers'),
    xenstore: await readPart(ssh, 'xenstore'),
    files: await readPart(ssh, 'files'),
  };
}

/** Looks at only a part of it. */
export async function readPart(ssh: Ssh, part: keyof Dom0State): Promise<Readonly<Record<string, string>>> {
  const [command, pattern] = ASKED[part];
  const { status, stdout, stderr } = await ssh.run(command);
  // What cannot be looked at would compare as equal.
  if (status !== 0 || stdout === '') throw new LabError(`dom0: ${command}: exit status ${status}: ${stderr}`);
  const entries = stdout.split('\n').flatMap((line): [string, string][] => {
    const { key, value } = pattern.exec(line)?.groups ?? {};
    return key === undefined || value === undefined ? [] : [[key, value]];
  });
  return Object.fromEntries(entries);
}

/** What differs between two looks, one line each; `ignored` are paths or interfaces that do not count. */
export function differences(before: Dom0State, after: Dom0State, ignored: RegExp = /(?!)/): string[] {
  return PARTS.flatMap((part) => {
    const keys = new Set([...Object.keys(before[part]), ...Object.keys(after[part])]);
    return [...keys]
      .filter((key) => !ignored.test(key) && before[part][key] !== after[part][key])
      .sort()
      .map((key) => `${key}: ${before[part][key] ?? '(nothing)'} -> ${after[part][key] ?? '(nothing)'}`);
  });
}
