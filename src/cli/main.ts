#!/usr/bin/env node
/** The program `pvusb`. xl's own commands take a short way: scripts call them often, and start time counts. */
import { processTerminal } from './terminal.js';
import { VERSION } from './version.js';
import { isXlCommand, runXl } from './xl/run.js';

async function main([command, ...rest]: readonly string[]): Promise<number> {
  const terminal = processTerminal();
  if (rest.length === 0 && (command === '--version' || command === '-V')) {
    terminal.out(`${VERSION}\n`);
    return 0;
  }
  if (command !== undefined && isXlCommand(command)) return runXl(terminal, command, rest);
  const { runProgram } = await import('./program.js');
  return runProgram(terminal, command === undefined ? [] : [command, ...rest]);
}

// Built as CommonJS, which starts sooner and knows no await out here.
void main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
