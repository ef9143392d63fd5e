/** `pvusb token`: somebody gets a token for the daemon's TCP port. */
import { addToken, ROLES, TOKENS_PATH } from '../../daemon/http/index.js';
import { printable } from '../../sysfs/index.js';
import { type CommonOptions, printJson } from '../context.js';
import { orWords, quoteWord } from '../printable.js';
import { usageError } from '../report.js';
import type { Terminal } from '../terminal.js';

/** Options of the command. */
export interface TokenOptions extends CommonOptions {
  readonly role?: string;
  readonly guests?: string;
  readonly devices?: string;
  readonly file?: string;
}

/** Makes a token, adds who it is for to the file, and prints it: it can be seen only now. */
export async function runToken(terminal: Terminal, name: string, options: TokenOptions): Promise<void> {
  const { file = TOKENS_PATH, guests, devices } = options;
  const role = ROLES.find((one) => one === options.role);
  if (!role)
    throw usageError(`--role takes ${orWords(ROLES)}, not ${quoteWord(options.role ?? '')}.`, 'pvusb token');
  const who = { name, role, guests: guests?.split(','), devices: devices?.split(',') };
  const token = await addToken(file, who);
  if (options.json) return printJson(terminal, { ...who, file, token });
  terminal.out(`${token}\n`);
  terminal.err(
    `${name} is ${role} with this token, which is not shown again; ${printable(file)} has its hash.\n`,
  );
}
