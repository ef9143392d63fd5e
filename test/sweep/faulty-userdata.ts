/** libxl's files for its domains, where calls go wrong. */
import type { Clock } from '../../src/async/index.js';
import { systemFailure } from '../../src/libxl/errors.js';
import { LibxlError } from '../../src/libxl/index.js';
import { kernelError } from '../../src/sim/index.js';
import type { Fault } from './faults.js';
import { type SavedCall, type SavedFiles, SimUserdata } from './saved-files.js';
import { never, type Trouble } from './trouble.js';

/** How long another program holds a lock before it releases it. */
const BUSY_MS = 1_000;

const DOING = {
  lock: 'cannot be locked',
  read: 'cannot be read',
  write: 'cannot be written',
  unlock: 'the lock cannot be removed',
} as const;

/** A program's view of the files. Every lock, read, write and unlock is a call. */
export class FaultyUserdata {
  readonly userdata: SimUserdata;
  readonly #files: SavedFiles;
  readonly #clock: Clock;
  readonly #trouble: Trouble;
  /** Ends what other programs do to the files. */
  readonly #ends: (() => void)[] = [];
  #refused: string | undefined;

  constructor(files: SavedFiles, clock: Clock, trouble: Trouble) {
    this.#files = files;
    this.#clock = clock;
    this.#trouble = trouble;
    this.userdata = new SimUserdata(files, (call, act) => this.#call(call, act));
    trouble.onDeath(() => this.userdata.end());
    trouble.onSettled(() => {
      for (const end of this.#ends.splice(0)) end();
    });
  }

  /** Ends the program's locks; returns how many it had left behind. */
  endLocks(): number {
    const { lockCount } = this.userdata;
    this.userdata.end();
    return lockCount;
  }

  async #call<T>(call: SavedCall, act: () => Promise<T>): Promise<T> {
    const { what, domid } = call;
    const trouble = this.#trouble;
    if (trouble.dead) return never();
    const fault = trouble.note('saved', `${what} ${domid}`, what === 'write');
    if (fault?.kind === 'refuse') {
      this.#refused = fault.errno;
      this.#ends.push(() => {
        this.#refused = undefined;
      });
    }
    if (this.#refused !== undefined && what !== 'unlock') throw fileFailure(this.#refused, call);
    if (!fault) return act();
    switch (fault.kind) {
      case 'errno':
        // The lock is released with the closed file, whatever becomes of its path.
        if (fault.after || what === 'unlock') await act();
        throw fileFailure(fault.errno, call);
      case 'busy': {
        const leave = this.#occupy(domid);
        if (fault.lasting) this.#ends.push(leave);
        else void this.#clock.sleep(BUSY_MS).then(leave);
        return act();
      }
      case 'hang':
        if (what !== 'lock') return trouble.strike(fault, act);
        this.#ends.push(this.#occupy(domid));
        void trouble.hang();
        return act();
      case 'spoil':
        this.#spoil(domid, fault);
        return act();
      default:
        return trouble.strike(fault, act);
    }
  }

  /** Another program comes first. */
  #occupy(domid: number): () => void {
    const turn = this.#files.lock(domid);
    return () => turn.leave();
  }

  /** Someone breaks or removes a file, and puts it back when everything is over; meanwhile nobody writes another. */
  #spoil(domid: number, { how }: Extract<Fault, { kind: 'spoil' }>): void {
    const whole = this.#files.get(domid);
    if (!whole) return;
    const spoilt = how === 'gone' ? undefined : whole.subarray(0, whole.length / 2);
    this.#files.put(domid, spoilt);
    this.#ends.push(() => {
      if (this.#files.get(domid) !== spoilt)
        throw new Error(`the spoilt file of domain ${domid} was written`);
      this.#files.put(domid, whole);
    });
  }
}

/** What a system errno becomes; `unsupported`: there is no flock. */
export function fileFailure(errno: string, { what, domid }: SavedCall): LibxlError {
  const path = `the file of domain ${domid}`;
  if (errno === 'unsupported') return new LibxlError('unsupported', 'there is no flock');
  return systemFailure(kernelError(errno as 'EIO', what, path), DOING[what], path);
}
