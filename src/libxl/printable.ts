/** Longest foreign text that is shown, in characters. */
const SHOWN_MAX = 60;

/** Makes foreign text fit for one line of a message: printable ASCII, anything else as `?`, cut at 60 characters. */
export function printable(untrustedText: string): string {
  return untrustedText.slice(0, SHOWN_MAX).replace(/[^\x20-\x7e]/g, '?');
}
