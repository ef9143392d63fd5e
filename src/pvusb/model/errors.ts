/** Every way an operation can fail: a closed table of codes, each with its remedy, its group and that group's exit status. */

/**
 * Where the fix lies: in the wording of the request (`usage`: it makes no sense on any host), in the request (`refused`:
 * nothing was changed), on the host, in trying again (`moment`), or in what was left over (`unfinished`).
 */
export type ErrorGroup = 'usage' | 'refused' | 'host' | 'moment' | 'unfinished';

/** What the table says about a code. */
interface ErrorKind {
  readonly group: ErrorGroup;
  /** What to do next, for people. */
  readonly remedy: string;
}

/** The table. `docs/errors.md` lists each code with its cause; a test keeps the two in step. */
export const ERROR_KINDS = {
  'invalid-argument': { group: 'usage', remedy: 'Correct the argument.' },
  'invalid-configuration': { group: 'refused', remedy: 'Correct the file at the indicated place.' },
  'simulation-refused': {
    group: 'refused',
    remedy: 'See listInventory() for what the simulated host has.',
  },
  'no-usb-settings': {
    group: 'refused',
    remedy:
      'Add usbctrl and usbdev to the file (empty lists for none), or use the option takesAll to take everything back.',
  },
  'other-domain': {
    group: 'refused',
    remedy: 'Name the domain that the file is for, or correct the name in it.',
  },
  'no-such-domain': { group: 'refused', remedy: 'See the domains of observe().' },
  'no-such-controller': { group: 'refused', remedy: 'See listControllers() for the controllers.' },
  'no-such-port': { group: 'refused', remedy: 'Choose a port that the controller has.' },
  'no-such-device': { group: 'refused', remedy: 'See the devices of observe() for what is plugged in.' },
  'ambiguous-device': { group: 'refused', remedy: 'Name one of them by its busid.' },
  'ambiguous-domain': { group: 'refused', remedy: 'Name it by its domid.' },
  'is-hub': { group: 'refused', remedy: 'Attach the devices behind it instead.' },
  'is-root-hub': {
    group: 'refused',
    remedy: 'It is part of the host; attach a device that is plugged into it.',
  },
  'not-authorized': {
    group: 'refused',
    remedy: 'Authorize it on the host first: with USBGuard, or through its file "authorized" in sysfs.',
  },
  'no-interfaces': {
    group: 'refused',
    remedy: 'Replug it; the kernel log (dmesg) says why the host could not configure it.',
  },
  'host-needs-it': {
    group: 'refused',
    remedy:
      'Stop using it on the host first, or attach it anyway with the option force, which takes a reason.',
  },
  'denied-by-rule': {
    group: 'refused',
    remedy: 'Change the rule, or give a reason with the option force.',
  },
  'rules-invalid': {
    group: 'refused',
    remedy: 'Correct the rule at the indicated place, or give a reason with the option force.',
  },
  'no-such-rule': { group: 'refused', remedy: 'See rulesOf() of an inventory for the rules.' },
  'no-such-token': { group: 'refused', remedy: 'See listQuiesced() for the tokens.' },
  'state-failed': {
    group: 'host',
    remedy: 'Run it as root; check that /var/lib/pvusb can be read and written.',
  },
  'rules-denied': {
    group: 'host',
    remedy: 'Run it as root; check that the rules directory can be read and written.',
  },
  'rules-busy': { group: 'moment', remedy: 'Another program is changing the rules; try again.' },
  'required-missing': {
    group: 'refused',
    remedy: 'Plug it in, or change the rule that requires it.',
  },
  'no-such-request': {
    group: 'refused',
    remedy: 'It has been answered, or its device or guest is gone: see requests() of a client.',
  },
  'not-authenticated': {
    group: 'refused',
    remedy: 'Use a token that the daemon knows, or its Unix socket.',
  },
  'not-permitted': {
    group: 'refused',
    remedy: 'Ask someone who has that role and access to that guest and device.',
  },
  'no-such-route': { group: 'usage', remedy: 'See /openapi.json for the available operations.' },
  'already-attached': { group: 'refused', remedy: 'Detach it there first.' },
  'half-attached': { group: 'refused', remedy: 'Give it back first with doctor() and its option fix.' },
  'port-in-use': { group: 'refused', remedy: 'Choose a free port, or leave it out to have one chosen.' },
  'port-empty': { group: 'refused', remedy: 'See listDevices() for what is attached.' },
  'controller-full': { group: 'refused', remedy: 'Leave the controller out to have a new one added.' },
  'controller-exists': {
    group: 'refused',
    remedy: 'Choose another number, or leave it out to have one chosen.',
  },
  'no-usbback': {
    group: 'refused',
    remedy:
      'Start the pvusb backend (systemctl start pvusb-backend), which needs no kernel module; or load usbback (modprobe usbback), which mainline Linux does not have; or use type qusb, which needs a QEMU.',
  },
  'image-unusable': {
    group: 'refused',
    remedy: 'Name an image that exists and that the host is not using, by its absolute path.',
  },
  'backend-impossible': {
    group: 'host',
    remedy:
      'Run it as root in domain 0, with the modules xen-gntdev and xen-evtchn loaded, without usbback and without another backend.',
  },
  'no-device-model': {
    group: 'refused',
    remedy:
      'Start the pvusb backend (systemctl start pvusb-backend), which serves type pv to every guest; or, if the QEMU of this host is older than 10.0, start one for a PV or PVH guest (pvusb qemu start DOMAIN), or put usbctrl=["type=qusb"] into the guest configuration and create the guest again.',
  },
  'unsupported-type': {
    group: 'refused',
    remedy: 'Choose another type, or leave it out to have one chosen.',
  },
  'unsupported-backend': { group: 'refused', remedy: 'Only domain 0 can be the backend.' },
  'port-clash': { group: 'refused', remedy: 'Choose another port, or leave it out to have one chosen.' },
  'speed-mismatch': {
    group: 'refused',
    remedy: 'Choose a controller of another USB version, or leave it out to have one chosen.',
  },
  'controller-closing': {
    group: 'refused',
    remedy: 'Finish its removal with removeController() and its option destroy.',
  },
  'simulation-failed': { group: 'host', remedy: 'Resolve the cause, then try again.' },
  'xenstore-unreachable': { group: 'host', remedy: 'Run it in domain 0 with xenstored running.' },
  'xenstore-denied': { group: 'host', remedy: 'Run it as root.' },
  'xenstore-failed': { group: 'host', remedy: 'Resolve the cause, then try again.' },
  'unsupported-platform': { group: 'host', remedy: 'Run it in domain 0 of a Linux host.' },
  'sysfs-missing': { group: 'host', remedy: 'Mount sysfs, or give its root as sysfsRoot.' },
  'sysfs-denied': { group: 'host', remedy: 'Run it as root.' },
  'sysfs-failed': { group: 'host', remedy: 'See the kernel log (dmesg), then try again.' },
  'state-timeout': {
    group: 'host',
    remedy: 'Check that the guest and its backend are alive, then try again.',
  },
  'not-opened': {
    group: 'host',
    remedy:
      'Check whether another program is using the device, and see /var/log/xen/qemu-dm-*.log; then try again.',
  },
  'qemu-dead': {
    group: 'host',
    remedy:
      'Give its devices back with doctor() and its option fix; the guest gets a new QEMU when it is restarted.',
  },
  'qemu-not-started': {
    group: 'host',
    remedy: 'See /var/log/xen/qemu-dm-*.log; install the QEMU of your distribution for Xen if there is none.',
  },
  'qemu-in-use': {
    group: 'refused',
    remedy: 'Remove the controllers that it serves first; a QEMU that xl started ends with its guest.',
  },
  'qemu-unreachable': {
    group: 'host',
    remedy: 'Run it as root in domain 0, where the QEMU of the guest runs.',
  },
  'qemu-refused': { group: 'host', remedy: 'See the error from QEMU, and /var/log/xen/qemu-dm-*.log.' },
  'qemu-timeout': { group: 'host', remedy: 'Check that the guest and its QEMU are alive, then try again.' },
  'config-denied': { group: 'host', remedy: 'Run it as root; check that /var/lib/xen is writable.' },
  'config-unusable': {
    group: 'host',
    remedy: 'Check the named file; libxl writes a new one when the guest is created again.',
  },
  'daemon-unreachable': {
    group: 'host',
    remedy: 'Start the daemon, or correct its address.',
  },
  'daemon-answer': { group: 'host', remedy: 'Use the same version on both sides.' },
  'cannot-listen': {
    group: 'host',
    remedy: 'If another daemon is listening there, stop it; otherwise choose another path or address.',
  },
  'audit-failed': {
    group: 'host',
    remedy: 'Run it as root; check that /var/log/pvusb can be read and written.',
  },
  'domain-gone': {
    group: 'host',
    remedy: 'The guest died; doctor() shows what it left behind.',
  },
  'config-locked': {
    group: 'moment',
    remedy: 'Another program is changing the configuration of the guest; try again.',
  },
  'qemu-busy': { group: 'moment', remedy: 'Another program is talking to the QEMU of the guest; try again.' },
  'daemon-busy': { group: 'moment', remedy: 'Close connections that are no longer needed, and try again.' },
  conflict: { group: 'moment', remedy: 'Another program keeps changing the same thing; try again.' },
  'connection-lost': { group: 'moment', remedy: 'Run doctor() once xenstored is back.' },
  aborted: {
    group: 'moment',
    remedy: 'An attach or add was undone; run a detach or removal again to finish it.',
  },
  'driver-not-restored': {
    group: 'unfinished',
    remedy: 'Try again with doctor() and its option fix, or replug the device.',
  },
  'other-driver': {
    group: 'unfinished',
    remedy: 'Put it back on its old driver with doctor() and its option fix.',
  },
  'rollback-failed': { group: 'unfinished', remedy: 'Run doctor() with its option fix.' },
  internal: {
    group: 'unfinished',
    remedy: 'This is a bug in pvusb: please report it. Run doctor().',
  },
} as const satisfies Record<string, ErrorKind>;

/** The code of a {@link PvusbError}. */
export type PvusbErrorCode = keyof typeof ERROR_KINDS;

/** Exit status of the command line by group. */
export const EXIT_STATUS: Readonly<Record<ErrorGroup, number>> = {
  refused: 1,
  usage: 2,
  host: 3,
  moment: 4,
  unfinished: 5,
};

/** What an error is about. */
export interface Where {
  readonly domid?: number | undefined;
  readonly devid?: number | undefined;
  readonly port?: number | undefined;
  readonly busid?: string | undefined;
}

/** More about an error. */
export interface PvusbErrorDetails {
  readonly where?: Where | undefined;
  readonly cause?: unknown;
  /** What an unfinished operation left on the host, a sentence each. */
  readonly leftOver?: readonly string[] | undefined;
  /** What to do next, if more is known than the code says. */
  readonly remedy?: string;
}

/** A failed operation. The message is one sentence; {@link remedy} says what to do next. */
export class PvusbError extends Error {
  override readonly name = 'PvusbError';
  readonly code: PvusbErrorCode;
  readonly where: Where;
  readonly leftOver: readonly string[];
  /** What to do next, one sentence. */
  readonly remedy: string;

  constructor(code: PvusbErrorCode, message: string, details: PvusbErrorDetails = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
    this.where = details.where ?? {};
    this.leftOver = details.leftOver ?? [];
    this.remedy = details.remedy ?? ERROR_KINDS[code].remedy;
  }

  /** Where the fix lies. */
  get group(): ErrorGroup {
    return ERROR_KINDS[this.code].group;
  }

  /** The exit status of a command that ends with this error; 130 for an abort, as shells expect for Ctrl-C. */
  get exitStatus(): number {
    return this.code === 'aborted' ? 130 : EXIT_STATUS[this.group];
  }
}

/** True when `error` is a {@link PvusbError} of one of `codes` (of any, if none is given). */
export function isPvusbError(error: unknown, ...codes: PvusbErrorCode[]): error is PvusbError {
  return error instanceof PvusbError && (codes.length === 0 || codes.includes(error.code));
}
