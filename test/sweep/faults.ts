/** What can go wrong at one call to a host. Plain data. */

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
  | 'mischief';

/** One fault. `after`: the host has done what it was asked, and the caller is told otherwise, or nothing. */
export type Fault =
  | { readonly kind: 'errno'; readonly errno: string; readonly after?: boolean }
  /** The same file answers this errno from now on. */
  | { readonly kind: 'refuse'; readonly errno: string }
  | { readonly kind: 'drop'; readonly after: boolean; readonly reopens: boolean }
  | { readonly kind: 'abort'; readonly after: boolean }
  /** No answer until some time after the caller has given up. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'deed'; readonly deed: Deed }
  /** usbback writes no state from now on. */
  | { readonly kind: 'silence' }
  /** The process is no more. */
  | { readonly kind: 'kill'; readonly after: boolean };

/** One call to a host. */
export interface HostCall {
  readonly index: number;
  readonly what: 'store' | 'list' | 'link' | 'read' | 'write';
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

/** To a read these are no failure but an answer, which would be a lie. */
const ABSENCE = new Set(['ENOENT', 'ENODEV']);

/** `SWEEP=all` leaves nothing out; it takes minutes. */
export const TRIES_ALL = process.env.SWEEP === 'all';

/**
 * The faults to try at a call: EIO, the other errnos in turn, and at decisive calls everything else, half of the deeds
 * at one call and half at the next. Between the calls of one wave of reads nothing but an errno is tried, since the
 * program cannot tell one moment of a wave from another.
 */
export function faultsAt(call: HostCall): Fault[] {
  const { index, what, changes, first } = call;
  const faults: Fault[] = [{ kind: 'errno', errno: 'EIO' }];
  const errnos = what === 'store' ? STORE_ERRNOS : FILE_ERRNOS;
  const turn = errnos[index % errnos.length]!;
  if (what === 'write') {
    for (const errno of ['EIO', turn])
      faults.push({ kind: 'errno', errno }, { kind: 'errno', errno, after: true }, { kind: 'refuse', errno });
  } else if (changes || (index % 2 === 0 && !ABSENCE.has(turn))) faults.push({ kind: 'errno', errno: turn });
  if (!first && !isDecisive(call))
    return changes ? [...faults, { kind: 'drop', after: true, reopens: true }] : faults;
  if (what === 'store') {
    for (const after of [false, true])
      for (const reopens of [true, false]) faults.push({ kind: 'drop', after, reopens });
  }
  // Every third wave of reads will do: there are many, and what comes between two of them is the same.
  if (!TRIES_ALL && !changes && index % 3 > 0) return faults;
  faults.push(
    { kind: 'abort', after: false },
    { kind: 'hang' },
    { kind: 'kill', after: false },
    { kind: 'silence' },
    ...DEEDS.filter((_, i) => TRIES_ALL || (i + index) % 2 === 0).map(
      (deed): Fault => ({ kind: 'deed', deed }),
    ),
  );
  // Behind a read is before the next call.
  if (changes) faults.push({ kind: 'abort', after: true }, { kind: 'kill', after: true });
  return faults;
}

/** Writes of one wave are as one: it is the end of their transaction that counts. */
function isDecisive({ what, name }: HostCall): boolean {
  return what === 'write' || /^(transaction|watch|unwatch)/.test(name);
}

/** True for faults that change the host themselves, so that it cannot be compared with what it was. */
export function changesHost(fault: Fault): boolean {
  return fault.kind === 'deed';
}

/** A fault as text. */
export function describeFault(fault: Fault): string {
  const { kind } = fault;
  const after = 'after' in fault && fault.after ? ' after' : '';
  if (kind === 'errno' || kind === 'refuse') return `${kind} ${fault.errno}${after}`;
  if (kind === 'drop') return `drop${after}${fault.reopens ? '' : ', no reopening'}`;
  if (kind === 'deed') return fault.deed;
  return `${kind}${after}`;
}
