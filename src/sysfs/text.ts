/** Texts that a device chose itself. They may contain terminal escapes, invalid UTF-8, or 100 KB. */

/** Longest text kept. USB string descriptors end at 126 characters. */
const TEXT_MAX = 128;

/** Control, format (bidirectional overrides, zero width) and unassigned characters, line and paragraph separators. */
export const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]/gu;

/** Makes any text safe to print: unsafe characters become `\x1b` or `\u{202e}`. Backslashes stay. */
export function printable(untrustedText: string): string {
  return untrustedText.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0)!;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

/** The text that {@link escapeText} was given, if it was not cut. */
export function unescapeText(text: string): string {
  return text.replace(/\\(?:\\|x([0-9a-f]{2})|u\{([0-9a-f]{1,6})\})/g, (_, byte, code) =>
    byte === undefined && code === undefined ? '\\' : String.fromCodePoint(Number.parseInt(byte ?? code, 16)),
  );
}

/**
 * Makes a device's text safe to print: unsafe characters become `\x1b` or `\u{202e}`, a backslash is doubled so
 * that the result is unambiguous, and it is cut at 128 characters. Two devices that differ stay different
 * within that length.
 */
export function escapeText(untrustedText: string): string {
  const cut = [...untrustedText.slice(0, 4 * TEXT_MAX)].slice(0, TEXT_MAX).join('');
  return printable(cut.replaceAll('\\', '\\\\'));
}

/**
 * JSON made safe to print: unsafe characters are `\u` escapes, so that it still parses to the same value. They can only occur in strings, except for the white space
 * between tokens (RFC 8259, 2), which cannot occur in strings.
 */
export function printableJsonText(untrustedText: string): string {
  return untrustedText.replace(UNSAFE, (character) => {
    if (/[\t\n\r]/.test(character)) return character;
    const units = Array.from({ length: character.length }, (_, k) => character.charCodeAt(k));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
  });
}

/** A number of at most three digits, as the kernel writes it into an attribute. */
export function parseDecimal(value: string | undefined): number | undefined {
  const digits = value?.trim() ?? '';
  return /^\d{1,3}$/.test(digits) ? Number(digits) : undefined;
}
