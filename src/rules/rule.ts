/** Rules: which guest gets which device, and which never. Plain data. */

/**
 * What a rule wants: `auto`: the guest gets the device; `ask`: it gets it when someone says so; `required`: as `auto`,
 * and the guest is not to be started without it; `deny`: it does not get it.
 */
export type Mode = 'auto' | 'ask' | 'required' | 'deny';

/** The modes, as they are written. */
export const MODES: readonly Mode[] = ['auto', 'ask', 'required', 'deny'];

/** Stands for every guest; only in a rule that denies. */
export const EVERY_GUEST = '*';

/** Where a rule is: line and column count from 1, the column in characters. */
export interface RulePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * Which devices a rule is about: those to which everything that is said applies. Texts are as `pvusb devices` prints
 * them.
 */
export interface Identity {
  /** Vendor and product, `46f4:0001`, or `46f4:*`. */
  readonly ids?: string;
  /** The serial number; empty: without one. */
  readonly serial?: string;
  /** The socket, `0000:00:14.0/4.1`: the host controller and the chain of ports. */
  readonly socket?: string;
  /** The socket of a hub: whatever is behind it. */
  readonly behind?: string;
  /** Classes of interfaces, `08/06/50`, `03/*`: one that is denied has one of them, any other has no others. */
  readonly interfaces?: readonly string[];
  /** USBGuard's hash. */
  readonly hash?: string;
}

/** What a rule says. */
export interface RuleBody {
  readonly mode: Mode;
  /** Name or uuid; {@link EVERY_GUEST}. */
  readonly guest: string;
  readonly identity: Identity;
  /** It is about all devices that are alike, not about one of them. */
  readonly every: boolean;
  /** On this controller; any unless given. */
  readonly devid?: number;
  /** In this port of the controller; any unless given. */
  readonly port?: number;
  /** How long the guest gets whatever comes back in the socket instead of the device, in seconds; the default unless given. */
  readonly followS?: number;
  /** What the device was called when the rule was made: for people, compared with nothing. */
  readonly name?: string;
}

/** One line of a file of rules. */
export interface Rule extends RuleBody {
  readonly place: RulePlace;
}

/** Something wrong with a file of rules: one sentence that is safe to print. */
export interface RuleProblem extends RulePlace {
  readonly message: string;
}

/** A file of rules, as read. */
export interface RuleFile {
  readonly path: string;
  readonly text: string;
}

/** `assignments.conf:3:1`. */
export function formatPlace({ file, line, column }: RulePlace): string {
  return `${file}:${line}:${column}`;
}
