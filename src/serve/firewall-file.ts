/** The host's firewall rules, from their file. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FirewallRule } from '../backend/firewall.js';
import { parseFirewall } from '../backend/firewall-text.js';
import { PvusbError } from '../pvusb/index.js';

/** Where they are unless another file is named. */
const FIREWALL_FILE = '/etc/pvusb/firewall.conf';

/** Far more than anybody writes: what is longer is another file. */
const BYTES_MAX = 1_000_000;

/** What to do about a path that is not that of a file of rules. */
const CHECK_PATH = 'Check the path: it has to be that of a text file with rules, one per line.';

/**
 * Reads rules. Without a name, a host that has no such file has no rules of its own.
 *
 * @throws {PvusbError} `invalid-configuration`: it cannot be read, or a line of it is wrong
 */
export async function readFirewall(named: string | undefined): Promise<readonly FirewallRule[]> {
  const path = named ?? FIREWALL_FILE;
  let text: string;
  try {
    // A pipe that nobody writes must not be waited for.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile()) throw wrong(`${path} is not a regular file.`, { remedy: CHECK_PATH });
    if (found.size > BYTES_MAX)
      throw wrong(`${path} has more than ${BYTES_MAX} bytes.`, { remedy: CHECK_PATH });
    text = await file.readFile('utf8');
  } catch (cause) {
    if (cause instanceof PvusbError) throw cause;
    const { code } = cause as { readonly code?: unknown };
    if (named === undefined && code === 'ENOENT') return [];
    if (code === 'ENOENT') throw wrong(`There is no file ${path}.`, { remedy: CHECK_PATH, cause });
    throw wrong(`${path} cannot be read (${code}).`, {
      remedy: 'Check its path and its permissions.',
      cause,
    });
  }
  const { rules, problems } = parseFirewall(text);
  const [first] = problems;
  if (first) throw wrong(`${path}:${first.line}: ${first.message}.`);
  return rules;
}

function wrong(sentence: string, more?: { readonly remedy: string; readonly cause?: unknown }): PvusbError {
  return new PvusbError('invalid-configuration', sentence, more);
}
