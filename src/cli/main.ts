#!/usr/bin/env node
/** The program `pvusb`. xl's own commands take a shortcut: scripts call them often, and start time counts. */
import { processTerminal, type Terminal } from './terminal.js';
import { VERSION } from './version.js';

async function main(terminal: Terminal, [command, ...rest]: readonly string[]): Promise<number> {
  if (rest.length === 0 && (command === '--version' || command === '-V')) {
    terminal.out(`${VERSION}\n`);
    return 0;
  }
  // All of xl's begin like this, none of ours does. What a command does not need is not even loaded.
  if (command === 'usb-list') {
    const { runUsbList } = await import('./xl/usb-list.js');
    return runUsbList(terminal, rest);
  }
  if (command?.startsWith('usb')) {
    const { isXlCommand, runXlCommand } = await import('./xl/commands.js');
    if (isXlCommand(command)) return runXlCommand(terminal, command, rest);
  }
  const { runProgram } = await import('./program.js');
  return runProgram(terminal, command === undefined ? [] : [command, ...rest]);
}

// Built as CommonJS, which starts sooner and has no top-level await.
const terminal = processTerminal();
void main(terminal, process.argv.slice(2)).then(async (status) => {
  process.exitCode = await terminal.end(status);
});
