/** What a line of another program's file says, as far as our rules can say it. */
import type { Identity } from '../rule.js';

/** A line that is not empty: a comment, or a statement about devices. */
export interface ForeignLine {
  readonly line: number;
  /** As it is in the file; safe to print. */
  readonly text: string;
  /** Absent for a comment. */
  readonly statement?: Statement;
}

/** Something about a line: one sentence that is safe to print. */
export interface Remark {
  /** Counts from 1, in characters. */
  readonly column: number;
  readonly message: string;
}

/** A statement about devices. */
export interface Statement {
  /** Whether a device that it is about may be given to guests; the first statement about a device counts. */
  readonly isAllowed: boolean;
  readonly column: number;
  /** It is about the devices of any of these, and no others; undefined when our rules cannot say that. */
  readonly exactly?: readonly Identity[];
  /** It is about no other devices than these. */
  readonly within: readonly Identity[];
  /** What someone may have meant by it, where it cannot be expressed exactly. */
  readonly like: readonly Identity[];
  /** Why our rules cannot say it. */
  readonly obstacles: readonly Remark[];
  /** What to know about it even so. */
  readonly notes: readonly Remark[];
}
