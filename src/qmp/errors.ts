/** The errors of the QMP client. */

/**
 * Why a call failed:
 * - `unreachable`: no connection could be made; the system's error is the cause (ENOENT: no QEMU runs for this
 *   domain; ECONNREFUSED: it has died; EACCES: not root)
 * - `busy`: another client held the monitor for as long as we waited; nothing was sent
 * - `refused`: QEMU answered with an error, see {@link QmpError.class} and {@link QmpError.desc}; nothing happened
 * - `timeout`: no answer came in time; whether QEMU has acted, or will, is not known: ask it
 * - `connection-lost`: the connection ended; whether the command was carried out is not known
 * - `protocol`: QEMU sent something that is not QMP
 */
export type QmpErrorCode = 'unreachable' | 'busy' | 'refused' | 'timeout' | 'connection-lost' | 'protocol';

/** Longest text from QEMU that is kept, in characters. */
const TEXT_MAX = 400;

/** Control, format and unassigned characters, line and paragraph separators. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]/gu;

/** A failed QMP call: its code and the command or event it was for. */
export class QmpError extends Error {
  override readonly name = 'QmpError';
  readonly code: QmpErrorCode;
  /** The command, such as `device_add`; or `connect`, `receive`, or `event DEVICE_DELETED`. */
  readonly operation: string;
  /** QEMU's error class when it is `refused`: `GenericError`, `DeviceNotFound`, `CommandNotFound`. */
  readonly class: string | undefined;
  /** QEMU's own words when it is `refused`, safe to print and cut at 400 characters. For people. */
  readonly desc: string | undefined;
  readonly #detail: string;

  constructor(
    code: QmpErrorCode,
    operation: string,
    detail: string,
    more: { readonly class?: string; readonly desc?: string; readonly cause?: unknown } = {},
  ) {
    super(`QEMU ${operation}: ${detail}`, more.cause === undefined ? {} : { cause: more.cause });
    this.code = code;
    this.operation = operation;
    this.class = more.class;
    this.desc = more.desc;
    this.#detail = detail;
  }

  /** The same failure, for another call that ran into it. */
  in(operation: string): QmpError {
    return new QmpError(this.code, operation, this.#detail, { cause: this });
  }
}

/** True when `error` is a {@link QmpError} of one of `codes` (of any, if none is given). */
export function isQmpError(error: unknown, ...codes: QmpErrorCode[]): error is QmpError {
  return error instanceof QmpError && (codes.length === 0 || codes.includes(error.code));
}

/** The error for a refusal by QEMU. */
export function refusal(operation: string, untrustedClass: string, untrustedDesc: string): QmpError {
  const errorClass = /^[A-Za-z]{1,64}$/.test(untrustedClass) ? untrustedClass : 'unreadable';
  const desc = printable(untrustedDesc);
  return new QmpError('refused', operation, desc, { class: errorClass, desc });
}

/** Makes a text from QEMU safe to print: unsafe characters as `\u{1b}`, cut at 400 characters. */
export function printable(untrustedText: string): string {
  const cut = [...untrustedText.slice(0, 2 * TEXT_MAX)].slice(0, TEXT_MAX).join('');
  return cut.replace(UNSAFE, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}
