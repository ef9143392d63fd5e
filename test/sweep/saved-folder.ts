/** libxl's files in a real folder, for real processes: a simulated host keeps its own in memory. */
import { type FSWatcher, mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/async/index.js';
import { openUserdata } from '../../src/libxl/index.js';
import type { Host } from '../../src/pvusb/index.js';
import type { SimHost } from '../../src/sim/index.js';
import { Sysfs } from '../../src/sysfs/index.js';
import { XenstoreClient } from '../../src/xenstore/index.js';
import { checkSaved } from '../core/support/invariant-saved.js';
import { qemusOf } from '../support/qemus.js';
import { SavedFiles, uuidOf } from './saved-files.js';

/** A folder with the files of a host's domains. */
export class SavedFolder {
  readonly path: string;
  readonly #sim: SimHost;
  readonly #domids: readonly number[];
  readonly #watcher: FSWatcher;
  #onChange: () => void = () => undefined;

  /** Moves what the host has in memory into a new folder. */
  constructor(sim: SimHost, path: string) {
    this.#sim = sim;
    this.path = path;
    mkdirSync(path);
    const files = SavedFiles.of(sim);
    this.#domids = [...files.texts.keys()];
    for (const [domid, text] of files.texts) {
      writeFileSync(this.file('d', domid), text, { mode: 0o600 });
      files.put(domid, undefined);
    }
    this.#watcher = watch(path, () => this.#onChange());
  }

  /** One of a domain's files: its data, data being written, or its lock. */
  file(kind: 'd' | 'n' | 'l', domid: number): string {
    const of = kind === 'l' ? 'domain-userdata-lock' : 'libxl-json';
    return join(this.path, `userdata-${kind}.${domid}.${uuidOf(domid)}.${of}`);
  }

  /** Calls `tell` for each change in the folder, as far as the system reports them one by one. */
  onChange(tell: () => void): void {
    this.#onChange = tell;
  }

  close(): void {
    this.#watcher.close();
  }

  /** Runs an operation of another program on the same host and folder. */
  async use<T>(run: (host: Host) => Promise<T>): Promise<T> {
    const sim = this.#sim;
    const clock = systemClock;
    const xenstore = new XenstoreClient(sim.store.connect(0));
    const userdata = openUserdata({ root: this.path });
    try {
      const sysfs = new Sysfs(sim.usb.files, clock);
      return await run({ xenstore, sysfs, qemu: qemusOf(sim, clock), clock, userdata });
    } finally {
      xenstore.close();
    }
  }

  /** Sentences about what a killed process has left behind that would keep another one waiting. */
  async locksLeft(): Promise<string[]> {
    const userdata = openUserdata({ root: this.path });
    const left = this.#domids.map(async (domid) => {
      const domain = { domid, uuid: uuidOf(domid) };
      // A free lock is available at once; the usual limit is long enough for a busy machine.
      return userdata.withLock(domain, {}, async () => []).catch((error: unknown) => [String(error)]);
    });
    return (await Promise.all(left)).flat();
  }

  /** Leaves what a process killed while writing a file leaves behind: half of a new one, and its lock. */
  leaveHalfWritten(domid: number): void {
    const bytes = readFileSync(this.file('d', domid));
    writeFileSync(this.file('n', domid), bytes.subarray(0, bytes.length / 2));
    writeFileSync(this.file('l', domid), '');
  }

  /** The names of all files except the configurations. */
  get others(): string[] {
    return readdirSync(this.path).filter((name) => !name.startsWith('userdata-d.'));
  }

  /** The violations of I8. */
  violations(): string[] {
    const saved = new Map(this.#domids.map((domid) => [domid, readFileSync(this.file('d', domid), 'utf8')]));
    return checkSaved({ dump: this.#sim.store.dump(), usb: this.#sim.usb, saved });
  }
}
