/** What can go wrong at one call to a host. Plain data. */
import type { ControllerType } from '../../src/pvusb/index.js';

/** Something that happens to the host between two calls of the program under test. */
export type Deed =
  | 'unplug'
  | 'replug-other'
  | 'rival-takes-port'
  | 'rival-takes-device'
  | 'rival-adds'
  | 'rival-removes'
  | 'rival-detaches'
  | 'domain-destroyed'
  | 'domain-dies'
  | 'qemu-killed'
  | 'mischief';

/** What becomes of a command to a QEMU; `act-but-...`: it is carried out all the same. */
type MonitorFate = 'error' | 'hang' | 'act-but-hang' | 'drop' | 'act-but-drop' | 'die';

/** One fault. `after`: the host has done what it was asked, but the caller is told otherwise, or nothing. */
export type Fault =
  | { readonly kind: 'errno'; readonly errno: string; readonly after?: boolean }
  /** From now on the same file, every monitor, or every saved configuration answers with this errno. */
  | { readonly kind: 'refuse'; readonly errno: string }
  | { readonly kind: 'drop'; readonly after: boolean; readonly reopens: boolean }
  | { readonly kind: 'abort'; readonly after: boolean }
  /** No answer until some time after the caller has given up. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'monitor'; readonly fate: MonitorFate }
  /** Another program holds the monitor or the lock, and keeps it. */
  | { readonly kind: 'busy'; readonly lasting: boolean }
  /** The saved configuration is broken or missing, until everything is over. */
  | { readonly kind: 'spoil'; readonly how: 'broken' | 'gone' }
  /** Another program holds the device, so that QEMU cannot open it. */
  | { readonly kind: 'unopenable' }
  | { readonly kind: 'deed'; readonly deed: Deed }
  /** From now on usbback writes no state, or QEMU does nothing; a QEMU is then killed, or continues. */
  | { readonly kind: 'silence'; readonly end: 'back' | 'killed' }
  /** The process is gone. */
  | { readonly kind: 'kill'; readonly after: boolean };

/** One call to a host. */
export interface HostCall {
  readonly index: number;
  readonly what: 'store' | 'list' | 'link' | 'read' | 'write' | 'qemu' | 'saved';
  /** `write bus/usb/drivers/usbhid/unbind`. */
  readonly name: string;
  /** Changes something, or ends a transaction. */
  readonly changes: boolean;
  /** The first of those that were asked together. */
  readonly first: boolean;
}

const DEEDS: readonly Deed[] = [
  'unplug',
  'replug-other',
  'rival-takes-port',
  'rival-takes-device',
  'rival-adds',
  'rival-removes',
  'rival-detaches',
  'domain-destroyed',
  'domain-dies',
  'mischief',
];

const STORE_ERRNOS = ['EACCES', 'ENOSPC', 'EBUSY', 'EINVAL', 'EAGAIN', 'EWHATEVER'];
const FILE_ERRNOS = ['ENODEV', 'EACCES', 'ENOENT', 'EBUSY'];
const SAVED_ERRNOS = ['EIO', 'EACCES', 'EISDIR', 'ENOSPC'];

/** For a read these are not a failure but an answer, which would be a lie. */
const ABSENCE = new Set(['ENOENT', 'ENODEV']);

/** `SWEEP=all` leaves nothing out; it takes minutes. */
export const TRIES_ALL = process.env.SWEEP === 'all';

/**
 * The faults to try at a call: EIO, the other errnos in turn, and at decisive calls everything else, half of the events
 * at one call and half at the next. Between the calls of one wave of reads only an errno is tried, since the program
 * cannot tell one moment of a wave from another.
 *
 * @param type of the controller that the operation is about
 */
export function faultsAt(call: HostCall, type: ControllerType): Fault[] {
  const { index, what, changes, first } = call;
  if (what === 'saved') return savedFaults(call, type);
  const faults = what === 'qemu' ? monitorFaults(call) : refusals(call);
  if (!first && !isDecisive(call))
    return changes ? [...faults, { kind: 'drop', after: true, reopens: true }] : faults;
  if (what === 'store') {
    for (const after of [false, true])
      for (const reopens of [true, false]) faults.push({ kind: 'drop', after, reopens });
  }
  // Every third wave of reads is enough: there are many, and what comes between two of them is the same.
  if (!TRIES_ALL && !changes && index % 3 > 0) return faults;
  faults.push(
    { kind: 'abort', after: false },
    { kind: 'hang' },
    { kind: 'kill', after: false },
    ...silences(call, type),
    ...deedsAt(call, type),
  );
  // After a read is the same as before the next call.
  if (changes) faults.push({ kind: 'abort', after: true }, { kind: 'kill', after: true });
  return faults;
}

function deedsAt({ index }: HostCall, type: ControllerType, every = 2): Fault[] {
  const deeds: readonly Deed[] = type === 'pv' ? DEEDS : [...DEEDS, 'qemu-killed'];
  return deeds
    .filter((_, i) => TRIES_ALL || (i + index) % every === 0)
    .map((deed): Fault => ({ kind: 'deed', deed }));
}

/**
 * A saved configuration cannot be locked, read or written, is held by others, broken, or gone. Being killed before a
 * lock or a read is the same as being killed after the previous call, and nothing can happen to the host between a lock
 * and its read that would not be the same before the next call.
 */
function savedFaults(call: HostCall, type: ControllerType): Fault[] {
  const { index, name } = call;
  const turn = SAVED_ERRNOS[index % SAVED_ERRNOS.length]!;
  const errnos = TRIES_ALL ? SAVED_ERRNOS : [turn];
  const failures = errnos.flatMap((errno): Fault[] => [
    { kind: 'errno', errno },
    { kind: 'refuse', errno },
  ]);
  const abort: Fault = { kind: 'abort', after: false };
  const hang: Fault = { kind: 'hang' };
  if (name.startsWith('unlock')) return [{ kind: 'errno', errno: turn }];
  if (name.startsWith('read')) return [...failures, abort];
  if (name.startsWith('write')) {
    return [
      ...failures,
      ...errnos.map((errno): Fault => ({ kind: 'errno', errno, after: true })),
      abort,
      hang,
      { kind: 'abort', after: true },
      { kind: 'kill', after: false },
      { kind: 'kill', after: true },
      ...deedsAt(call, type, 3),
    ];
  }
  const spoils = (['broken', 'gone'] as const).filter((_, i) => TRIES_ALL || (i + index) % 2 === 0);
  return [
    ...failures,
    { kind: 'refuse', errno: 'unsupported' },
    { kind: 'busy', lasting: false },
    { kind: 'busy', lasting: true },
    ...spoils.map((how): Fault => ({ kind: 'spoil', how })),
    abort,
    hang,
    { kind: 'kill', after: true },
    ...deedsAt(call, type, 3),
  ];
}

function refusals({ index, what, changes }: HostCall): Fault[] {
  const faults: Fault[] = [{ kind: 'errno', errno: 'EIO' }];
  const errnos = what === 'store' ? STORE_ERRNOS : FILE_ERRNOS;
  const turn = errnos[index % errnos.length]!;
  if (what === 'write') {
    for (const errno of ['EIO', turn])
      faults.push({ kind: 'errno', errno }, { kind: 'errno', errno, after: true }, { kind: 'refuse', errno });
  } else if (changes || (index % 2 === 0 && !ABSENCE.has(turn))) faults.push({ kind: 'errno', errno: turn });
  return faults;
}

/** QEMU cannot be reached, or not by us; it refuses, hangs, hangs up and dies. That it is dead is true. */
function monitorFaults({ name, changes }: HostCall): Fault[] {
  if (name.startsWith('open')) {
    return [
      { kind: 'errno', errno: 'ENOENT' },
      { kind: 'refuse', errno: 'ENOENT' },
      { kind: 'busy', lasting: false },
      { kind: 'busy', lasting: true },
      { kind: 'monitor', fate: 'die' },
    ];
  }
  const fates: MonitorFate[] = ['error', 'hang', 'drop', 'die'];
  if (changes) fates.push('act-but-hang', 'act-but-drop');
  return fates.map((fate) => ({ kind: 'monitor', fate }));
}

function silences({ index }: HostCall, type: ControllerType): Fault[] {
  if (type === 'pv') return [{ kind: 'silence', end: 'back' }];
  const ends = (['back', 'killed'] as const).filter((_, i) => TRIES_ALL || (i + index) % 2 === 0);
  return [{ kind: 'unopenable' }, ...ends.map((end): Fault => ({ kind: 'silence', end }))];
}

/** Writes of one wave count as one: what matters is the end of their transaction. */
function isDecisive({ what, name }: HostCall): boolean {
  return what === 'write' || what === 'qemu' || /^(transaction|watch|unwatch)/.test(name);
}

/**
 * True for faults after which a saved configuration may be wrong until the doctor corrects it: it could not be used,
 * which prevents no device from going back to its host; or it was written but reported as not written, contrary to what
 * its interface promises.
 */
export function mayLeaveFile(fault: Fault, { what }: HostCall): boolean {
  if (what !== 'saved') return false;
  return fault.kind === 'errno' || fault.kind === 'refuse' || fault.kind === 'spoil';
}

/** True for faults that change the host themselves, so that it cannot be compared with what it was. */
export function changesHost(fault: Fault): boolean {
  return fault.kind === 'deed' && fault.deed !== 'qemu-killed';
}

/** A fault as text. */
export function describeFault(fault: Fault): string {
  const { kind } = fault;
  const after = 'after' in fault && fault.after ? ' after' : '';
  switch (kind) {
    case 'errno':
    case 'refuse':
      return `${kind} ${fault.errno}${after}`;
    case 'drop':
      return `drop${after}${fault.reopens ? '' : ', no reopening'}`;
    case 'deed':
      return fault.deed;
    case 'monitor':
      return `QEMU: ${fault.fate}`;
    case 'busy':
      return fault.lasting ? 'busy for ever' : 'busy';
    case 'silence':
      return `silence, then ${fault.end}`;
    case 'spoil':
      return `the file is ${fault.how}`;
    default:
      return `${kind}${after}`;
  }
}
