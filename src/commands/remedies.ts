/** Errors as data, and what to do next in commands: where the library's remedy names its functions. */
import { ERROR_KINDS, type PvusbError, type PvusbErrorCode } from '../pvusb/index.js';

const COMMANDS: Partial<Readonly<Record<PvusbErrorCode, string>>> = {
  'no-usb-settings':
    'Add usbctrl and usbdev to the file (empty lists for none), or use "pvusb apply --take-all" to take everything back.',
  'simulation-refused': 'See "pvusb devices" and "pvusb list" for what the simulated host has.',
  'no-such-domain': 'See "pvusb list" for the domains.',
  'no-such-controller': 'See "pvusb list" for the controllers.',
  'no-such-device': 'See "pvusb devices" for what is plugged in.',
  'host-needs-it': 'Stop using it on the host first, or attach it anyway with "pvusb attach --force=REASON".',
  'denied-by-rule': 'Change the rule, or give a reason with --force.',
  'rules-invalid':
    'Correct the line ("pvusb check" lists all that are wrong); meanwhile "pvusb attach --force=REASON" attaches.',
  'no-such-rule': 'See "pvusb assignments" and "pvusb explain" for the rules.',
  'no-such-request': 'It has been answered, or its device or guest is gone: see "pvusb requests".',
  'not-authenticated': 'Use a token made by "pvusb token", or the Unix socket of the daemon as root.',
  'daemon-unreachable': 'Start the daemon with "pvusb serve", or correct its address.',
  'no-such-token': 'See "pvusb quiesced" for the tokens.',
  'half-attached': 'Give it back first with "pvusb doctor --fix".',
  'port-empty': 'See "pvusb list" for what is attached.',
  'controller-closing': 'Finish its removal with "pvusb controller destroy".',
  'sysfs-missing': 'Mount sysfs, or give its root with --sysfs-root.',
  'qemu-dead':
    'Give its devices back with "pvusb doctor --fix"; the guest gets a new QEMU when it is restarted.',
  'domain-gone': 'The guest died; "pvusb doctor" shows what it left behind.',
  'connection-lost': 'Run "pvusb doctor" once xenstored is back.',
  'driver-not-restored': 'Try again with "pvusb doctor --fix", or replug it.',
  'other-driver': 'Put it back on its old driver with "pvusb doctor --fix".',
  'rollback-failed': 'Run "pvusb doctor --fix".',
  internal: 'This is a bug in pvusb: please report it. Run "pvusb doctor".',
};

/** The remedy of a code, for the command line. */
export function commandRemedy(code: PvusbErrorCode): string {
  return COMMANDS[code] ?? ERROR_KINDS[code].remedy;
}

/** What to do about an error. For a half-removed controller it names the command that finishes the removal. */
export function remedyOf({ code, remedy, where, leftOver }: PvusbError): string {
  const { domid, devid } = where;
  if (code === 'state-timeout' && leftOver.length > 0 && devid !== undefined)
    return `Run it again when the guest responds, or run "pvusb controller destroy ${domid} ${devid}", which does not wait for it.`;
  return remedy === ERROR_KINDS[code].remedy ? commandRemedy(code) : remedy;
}

/** A command of several changes failed: why, and what it had done until then. */
export class HalfDoneError extends Error {
  override readonly name = 'HalfDoneError';
  readonly changes: readonly unknown[];

  constructor(cause: unknown, changes: readonly unknown[]) {
    super('A command of several changes failed.', { cause });
    this.changes = changes;
  }
}

/** An error as data, as programs get it. */
export interface ErrorJson {
  readonly error: Pick<PvusbError, 'code' | 'message' | 'remedy' | 'where' | 'leftOver'>;
  /** What a command of several changes had done until then. */
  readonly changes?: readonly unknown[] | undefined;
}

/** An error as data. */
export function errorJson(error: PvusbError, changes?: readonly unknown[]): ErrorJson {
  const { code, message, leftOver, where } = error;
  return { error: { code, message, remedy: remedyOf(error), where, leftOver }, changes };
}
