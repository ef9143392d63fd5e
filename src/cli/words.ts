/** The words of a command line that name a command. */
import type { Command } from 'commander';

/** The command that a command line begins with, without its arguments: `pvusb controller`. */
export function commandOf(program: Command, words: readonly string[]): string {
  const found = ['pvusb'];
  let command: Command | undefined = program;
  for (const word of words) {
    command = command.commands.find((candidate) => candidate.name() === word);
    if (!command) break;
    found.push(word);
  }
  return found.join(' ');
}

/** The options that ask for help. */
export const HELP = ['-h', '--help'];

/** Whether a command line begins with the name of a command, of several words where it has them, or with an option. */
export function isCommand(program: Command, words: readonly string[]): boolean {
  let command: Command | undefined = program;
  for (const word of words) {
    if (word.startsWith('-') || command.commands.length === 0) return true;
    command = command.commands.find((candidate) => candidate.name() === word);
    if (!command) return false;
  }
  return true;
}
