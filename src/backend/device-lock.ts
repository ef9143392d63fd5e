/** Calls that lock a device: one at a time, and nothing else meanwhile. */
import { loop } from '../async/index.js';
import { Errno } from './errno.js';

/** The lock of one device, as usbfs has it: whoever calls meanwhile would block the whole process. */
export class DeviceLock {
  readonly #onFree: () => void;
  #isHeld = false;

  /** @param onFree called each time that the device can be used again */
  constructor(onFree: () => void) {
    this.#onFree = onFree;
  }

  /** Whether the device must be left alone. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /**
   * Calls the device. Not at once: what was prepared for it has to reach it first.
   *
   * @param done gets the errno, 0 if there was none, before others use the device
   */
  hold(work: () => Promise<number | undefined>, done?: (errno: number) => void): void {
    this.#isHeld = true;
    const end = (errno: number): void => {
      this.#isHeld = false;
      done?.(errno);
      this.#onFree();
    };
    void loop.through(Promise.resolve().then(work)).then(
      (errno) => end(errno ?? 0),
      () => end(Errno.io),
    );
  }
}
