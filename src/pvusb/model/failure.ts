/** Turns what the clients throw into {@link PvusbError}. */
import { LibxlError } from '../../libxl/errors.js';
import { RuleFilesError } from '../../policy/errors.js';
import { isQmpError, QmpError } from '../../qmp/errors.js';
import { QuiescedFilesError } from '../../quiesced/errors.js';
import { SysfsError } from '../../sysfs/errors.js';
import { causeCode, isXenstoreError, XenstoreError } from '../../xenstore/errors.js';
import { PvusbError, type PvusbErrorCode, type Where } from './errors.js';

/** The facts of a commit did not hold: another program has changed the host since it was observed. */
export class ConflictError extends Error {
  override readonly name = 'ConflictError';
  /** Noticed too late: what was attempted has been done and has to be undone. */
  readonly hasChanged: boolean;

  constructor(message: string, { hasChanged = false }: { readonly hasChanged?: boolean } = {}) {
    super(message);
    this.hasChanged = hasChanged;
  }
}

/** What was going on when something failed. */
interface Doing {
  /** Completes "while ...": `observing the host`. */
  readonly doing: string;
  readonly where?: Where;
  readonly signal?: AbortSignal | undefined;
}

/** The error to report to the caller, whatever `error` is. */
export function toPvusbError(error: unknown, { doing, where = {}, signal }: Doing): PvusbError {
  if (error instanceof PvusbError) return error;
  const make = (code: PvusbErrorCode, sentence: string): PvusbError =>
    new PvusbError(code, sentence, { where, cause: error });
  if (signal?.aborted && error === signal.reason) return make('aborted', `Interrupted while ${doing}.`);
  if (isXenstoreError(error, 'unreachable'))
    return make(xenstoreCode(error), `Cannot connect to xenstored: ${error.detail}.`);
  if (error instanceof SysfsError && error.code === 'no-sysfs')
    return make('sysfs-missing', 'There is no sysfs: its folder bus/usb/devices is missing.');
  const sentence = `${error instanceof Error ? error.message : String(error)}, while ${doing}.`;
  if (error instanceof XenstoreError) return make(xenstoreCode(error), sentence);
  if (error instanceof SysfsError) return make(sysfsCode(error), sentence);
  if (error instanceof QmpError) return make(qmpCode(error), sentence);
  if (error instanceof LibxlError) return make(configCode(error), sentence);
  if (error instanceof RuleFilesError)
    return make(error.code === 'busy' ? 'rules-busy' : 'rules-denied', sentence);
  if (error instanceof QuiescedFilesError) return make('state-failed', sentence);
  if (error instanceof ConflictError) return make('conflict', sentence);
  return make('internal', sentence);
}

/** True when nothing listens on a QEMU's socket any more: it was killed, or has crashed. */
export function isDead(error: unknown): boolean {
  return isQmpError(error, 'unreachable') && causeCode(error) === 'ECONNREFUSED';
}

function configCode({ code }: LibxlError): PvusbErrorCode {
  if (code === 'timeout') return 'config-locked';
  return code === 'denied' ? 'config-denied' : 'config-unusable';
}

/** The code for a failure of QEMU's monitor. */
export function qmpCode(error: QmpError): PvusbErrorCode {
  switch (error.code) {
    case 'unreachable':
      return isDead(error) ? 'qemu-dead' : 'qemu-unreachable';
    case 'busy':
      return 'qemu-busy';
    case 'refused':
      return 'qemu-refused';
    // If QEMU dies or talks nonsense, the outcome is not known either.
    case 'timeout':
    case 'connection-lost':
    case 'protocol':
      return 'qemu-timeout';
  }
}

function xenstoreCode(error: XenstoreError): PvusbErrorCode {
  switch (error.code) {
    case 'unreachable': {
      const code = causeCode(error);
      return code === 'EACCES' || code === 'EPERM' ? 'xenstore-denied' : 'xenstore-unreachable';
    }
    case 'EACCES':
    case 'EPERM':
      return 'xenstore-denied';
    // After garbage the connection is closed, too, and the outcome is just as unknown.
    case 'protocol':
    case 'connection-lost':
      return 'connection-lost';
    case 'too-many-retries':
      return 'conflict';
    default:
      return 'xenstore-failed';
  }
}

function sysfsCode(error: SysfsError): PvusbErrorCode {
  if (error.code === 'EACCES' || error.code === 'EPERM' || error.code === 'EROFS') return 'sysfs-denied';
  return 'sysfs-failed';
}
