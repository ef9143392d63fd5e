/** Errnos of Linux, negative as the kernel gives them, and what a guest is told instead. Pure. */
import { UsbifStatus } from '../usbif/index.js';

/** The errnos that transfers and devices end with. */
export const Errno = {
  noEntry: -2,
  io: -5,
  noMemory: -12,
  busy: -16,
  noDevice: -19,
  invalid: -22,
  pipe: -32,
  time: -62,
  remote: -71,
  overflow: -75,
  illegalSequence: -84,
  shutdown: -108,
  timedOut: -110,
  connectionReset: -104,
  tooBig: -7,
  shortRead: -121,
  communication: -70,
  noStreamResources: -63,
} as const;

const STATUSES: ReadonlyMap<number, UsbifStatus> = new Map([
  [0, UsbifStatus.ok],
  // A short read that was flagged: the guest's USB core makes the error itself.
  [Errno.shortRead, UsbifStatus.ok],
  [Errno.pipe, UsbifStatus.stall],
  [Errno.overflow, UsbifStatus.babble],
  [Errno.invalid, UsbifStatus.invalid],
  [Errno.tooBig, UsbifStatus.invalid],
  [Errno.remote, UsbifStatus.ioError],
  [Errno.illegalSequence, UsbifStatus.ioError],
  [Errno.time, UsbifStatus.ioError],
  [Errno.timedOut, UsbifStatus.ioError],
  [Errno.communication, UsbifStatus.ioError],
  [Errno.noStreamResources, UsbifStatus.ioError],
]);

/**
 * The status for an errno, by what drivers do with it: -71 is tried again, -32 clears the halt, and everything that
 * says that the device is no longer there, or that the transfer was ended from outside, stops them quietly (-108).
 */
export function statusOf(errno: number): UsbifStatus {
  return STATUSES.get(errno) ?? UsbifStatus.shutdown;
}
