/** Files of a simulated host, as they are collected. */
import type { UseSpec } from './spec.js';

/** A file, a link, or a folder that may be empty. */
export type Entry =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'folder' };

/** A device and what the host does with it. */
export interface UsedDevice {
  readonly busid: string;
  readonly uses: readonly UseSpec[];
}

/** Files by path. */
export class Entries {
  readonly map = new Map<string, Entry>();

  /** How many there are: a number that is not yet used. */
  get count(): number {
    return this.map.size;
  }

  text(path: string, text: string): void {
    this.map.set(path, { kind: 'text', text });
  }

  link(path: string, target: string): void {
    this.map.set(path, { kind: 'link', target });
  }

  folder(path: string): void {
    this.map.set(path, { kind: 'folder' });
  }

  /** Adds to a text, which begins with `head`. */
  append(path: string, line: string, head = ''): void {
    const before = this.map.get(path);
    this.text(path, `${before?.kind === 'text' ? before.text : head}${line}`);
  }

  /** A thing of a class, on a USB device or on none; returns its folder. */
  classed(kind: string, name: string, device: UsedDevice | undefined): string {
    const place = device === undefined ? `devices/virtual/${kind}` : `devices/sim/${device.busid}/${kind}`;
    this.folder(`sys/${place}/${name}`);
    this.link(`sys/class/${kind}/${name}`, `../../${place}/${name}`);
    return `sys/${place}/${name}`;
  }
}
