/** What a dom0 looks like, to compare before and after. */
import type { Ssh } from './ssh.js';

/** What USB lending may change in a dom0. */
export interface Dom0State {
  /** Interface to driver: `3-6:1.0` to `snd-usb-audio`, or `-` for none. */
  readonly drivers: Readonly<Record<string, string>>;
  /** Path to value and permissions, as `xenstore-ls -fp` prints them. */
  readonly xenstore: Readonly<Record<string, string>>;
  /** Path to md5, of the files in `/var/lib/xen`, where libxl keeps what it knows of domains. */
  readonly files: Readonly<Record<string, string>>;
}

const COMMANDS = [
  ['drivers', 'usb-drivers'],
  ['xenstore', 'xenstore-ls -fp /'],
  ['files', 'find /var/lib/xen -type f -exec md5sum {} +'],
] as const;

/** Looks at a dom0. */
export async function readState(ssh: Ssh): Promise<Dom0State> {
  const script = COMMANDS.map(([name, command]) => `echo "== ${name}"; ${command}`).join('; ');
  const { stdout } = await ssh.run(script);
  const parts = new Map<string, string[]>();
  for (const line of stdout.split('\n')) {
    const [, name] = /^== (\w+)$/.exec(line) ?? [];
    if (name !== undefined) parts.set(name, []);
    else if (line !== '') [...parts.values()].at(-1)?.push(line);
  }
  const entries = (name: string, pattern: RegExp): Record<string, string> =>
    Object.fromEntries(
      (parts.get(name) ?? []).flatMap((line) => {
        const { key, value } = pattern.exec(line)?.groups ?? {};
        return key === undefined ? [] : [[key, value!]];
      }),
    );
  return {
    drivers: entries('drivers', /^(?<key>\S+) (?<value>\S+)$/),
    xenstore: entries('xenstore', /^(?<key>\/\S*) = (?<value>.*)$/),
    files: entries('files', /^(?<value>\S+) {2}(?<key>.*)$/),
  };
}

/** What is different between two looks, a line each; `ignored` are paths or interfaces that do not count. */
export function differences(before: Dom0State, after: Dom0State, ignored: RegExp = /(?!)/): string[] {
  const parts = ['drivers', 'xenstore', 'files'] as const;
  return parts.flatMap((part) => {
    const keys = new Set([...Object.keys(before[part]), ...Object.keys(after[part])]);
    return [...keys]
      .filter((key) => !ignored.test(key) && before[part][key] !== after[part][key])
      .sort()
      .map((key) => `${key}: ${before[part][key] ?? '(nothing)'} -> ${after[part][key] ?? '(nothing)'}`);
  });
}
