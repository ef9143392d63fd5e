/** Longest text of others that is shown, in characters. */
const SHOWN_MAX = 60;

/** A text of others fit for one line of a message: ASCII that is seen, the rest as `?`, cut at 60 characters. */
export function printable(untrustedText: string): string {
  return untrustedText.slice(0, SHOWN_MAX).replace(/[^\x20-\x7e]/g, '?');
}
