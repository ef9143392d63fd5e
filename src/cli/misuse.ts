/** What commander refuses of a command line, as errors like all others. */
import type { Command } from 'commander';
import type { PvusbError } from '../pvusb/index.js';
import { JSON_LIBXL } from './options.js';
import { quoteWord } from './printable.js';
import { usageError } from './report.js';

/** Makes an error like all others of what commander refuses, of this command and those below it. */
export function refuseMisuse(command: Command, words: string): void {
  command.configureOutput({
    outputError(untrustedText) {
      const text = untrustedText
        .trim()
        .replace(/^error: /, '')
        .replace(/^(option .*) argument missing$/s, '$1 needs a value')
        .replace(JSON_LIBXL, '--json=libxl');
      const [, message = text, hint = ''] = /^(.*)\n\((Did you mean [^\n]*\?)\)$/s.exec(text) ?? [];
      if (message.startsWith('too many arguments')) throw excessError(command, words);
      const sentence = `${message.charAt(0).toUpperCase()}${message.slice(1).replace(/\.$/, '')}.`;
      throw usageError(sentence, words, hint);
    },
  });
  for (const sub of command.commands) refuseMisuse(sub, `${words} ${sub.name()}`);
}

/** Names the arguments that are too many, which commander only counts. */
function excessError(command: Command, words: string): PvusbError {
  const most = command.registeredArguments.length;
  const excess = command.args.slice(most).map(quoteWord).join(', ');
  return usageError(`Unexpected argument: ${excess}. "${words}" takes ${most === 0 ? 'none' : most}.`, words);
}
