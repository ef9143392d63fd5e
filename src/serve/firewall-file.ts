/** The host's firewall rules, from their file. */
import { readFile } from 'node:fs/promises';
import type { FirewallRule } from '../backend/firewall.js';
import { parseFirewall } from '../backend/firewall-text.js';
import { PvusbError } from '../pvusb/index.js';

/** Where they are unless another file is named. */
const FIREWALL_FILE = '/etc/pvusb/firewall.conf';

/**
 * Reads rules. Without a name, a host that has no such file has no rules of its own.
 *
 * @throws {PvusbError} `invalid-configuration`: it cannot be read, or a line of it is wrong
 */
export async function readFirewall(named: string | undefined): Promise<readonly FirewallRule[]> {
  const path = named ?? FIREWALL_FILE;
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const { code } = cause as { readonly code?: unknown };
    if (named === undefined && code === 'ENOENT') return [];
    throw new PvusbError('invalid-configuration', `${path} cannot be read (${code}).`, {
      remedy: 'Check its path and its permissions.',
      cause,
    });
  }
  const { rules, problems } = parseFirewall(text);
  const [first] = problems;
  if (first) throw new PvusbError('invalid-configuration', `${path}:${first.line}: ${first.message}.`);
  return rules;
}
