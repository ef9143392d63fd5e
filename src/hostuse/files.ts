/** What the reader of the host's uses needs: files by path, and two questions that no file answers. */

/** Paths begin with one of the four roots: `sys/class/block`, `proc/swaps`, `dev/sdb`, `run/udev/data/b8:16`. */
export interface HostFiles {
  /** The text of a file. Rejects with a Node errno error. */
  readText(path: string): Promise<string>;
  /** The names in a folder. */
  list(path: string): Promise<string[]>;
  /** The target of a link, unresolved. */
  readLink(path: string): Promise<string>;
  /** Whether the kernel has a block device for itself: opening it with O_EXCL fails with EBUSY. */
  isClaimed(path: string): Promise<boolean>;
  /** The addresses of network interfaces that are up, as far as no file in /proc has them. */
  addresses(): readonly { readonly name: string; readonly address: string }[];
}
