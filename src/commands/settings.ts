/** A text that says which USB controllers and devices a guest has: xl.cfg, or libxl's JSON. */
import { type DomainName, parseLibxlUsb, parseXlConfig, type XlConfig } from '../pvusb/index.js';

/**
 * Parses such a text; of several domains in it, the one with this number or name. `said` names it in errors.
 *
 * @throws {PvusbError} `invalid-configuration`, with line and column where known
 */
export function parseSettings(untrusted: string | Uint8Array, said: string, domain?: DomainName): XlConfig {
  const text = typeof untrusted === 'string' ? untrusted : Buffer.from(untrusted).toString('utf8');
  if (/^\s*[[{]/.test(text)) return { usb: { ...parseLibxlUsb(text, domain), said }, notes: [] };
  return parseXlConfig(untrusted, said);
}
