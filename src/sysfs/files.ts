/** The five file operations that sysfs needs. Implemented by the real file system and by the simulator. */

/** Paths are relative to sysfs's root, without a leading slash: `bus/usb/devices/3-1/idVendor`. */
export interface SysfsFiles {
  /** The text of an attribute. Rejects with a Node errno error (`code: 'ENOENT'`). */
  readText(path: string): Promise<string>;
  /** The bytes of a binary attribute, whatever size its file claims to have. Rejects like `readText`. */
  readBytes(path: string): Promise<Uint8Array>;
  /** The names in a folder. */
  list(path: string): Promise<string[]>;
  /** The target of a link, unresolved. */
  readLink(path: string): Promise<string>;
  /** Writes to an existing attribute, in one write(2). */
  writeText(path: string, text: string): Promise<void>;
}
