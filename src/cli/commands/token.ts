/** `pvusb token`: lets somebody use the API by TCP. */
import { addToken, ROLES, TOKENS_PATH } from '../../daemon/index.js';
import { usageError } from '../report.js';
import type { Terminal } from '../terminal.js';

/** Options of the command. */
interface TokenOptions {
  readonly role?: string;
  readonly guests?: string;
  readonly devices?: string;
  readonly tokens?: string;
}

/** Makes a token, and prints it. */
export async function runToken(terminal: Terminal, name: string, options: TokenOptions): Promise<void> {
  const role = ROLES.find((one) => one === options.role);
  if (!role) throw usageError(`--role takes ${ROLES.join(', ')}, not ${options.role}.`, 'pvusb token');
  const path = options.tokens || TOKENS_PATH;
  const token = await addToken(path, {
    name,
    role,
    ...(options.guests === undefined ? {} : { guests: options.guests.split(',') }),
    ...(options.devices === undefined ? {} : { devices: options.devices.split(',') }),
  });
  terminal.out(`${token}\n`);
  terminal.err(`Noted in ${path}. This is the only time that the token is shown.\n`);
}
