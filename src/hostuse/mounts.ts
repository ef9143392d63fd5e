/** What /proc says about mounted file systems and swap space. Pure. */

/** A mounted file system. */
export interface Mount {
  /** Major and minor number, `8:17`; of btrfs and its like a number that no disk has. */
  readonly device: string;
  readonly untrustedAt: string;
  readonly type: string;
  /** Its first disk, as it was named when it was mounted. */
  readonly untrustedSource: string;
}

/** Parses `/proc/self/mountinfo` (proc_pid_mountinfo(5)). Lines that it does not understand are skipped. */
export function parseMountinfo(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ');
    const [, , device, , at] = before?.split(' ') ?? [];
    const [type, source] = after?.split(' ') ?? [];
    if (device === undefined || at === undefined || type === undefined || source === undefined) return [];
    if (!/^\d+:\d+$/.test(device)) return [];
    return { device, untrustedAt: unescapeOctal(at), type, untrustedSource: unescapeOctal(source) };
  });
}

/** Parses `/proc/swaps`: the paths of what is swapped to. */
export function parseSwaps(text: string): string[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [path] = line.split(/[ \t]/);
      return path?.startsWith('/') ? unescapeOctal(path) : [];
    });
}

/** The kernel writes blanks, backslashes and newlines as `\040` (`seq_file.c: mangle_path`), byte by byte. */
function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-3][0-7]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
