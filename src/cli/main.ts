#!/usr/bin/env node
/** The program `pvusb`. xl's own commands take a short way: scripts call them often, and start time counts. */
import { processTerminal } from './terminal.js';
import { VERSION } from './version.js';
import { isXlCommand, runXl } from './xl/run.js';

const [command, ...rest] = process.argv.slice(2);
const terminal = processTerminal();
if (rest.length === 0 && (command === '--version' || command === '-V')) terminal.out(`${VERSION}\n`);
else if (command !== undefined && isXlCommand(command))
  process.exitCode = await runXl(terminal, command, rest);
else {
  const { runProgram } = await import('./program.js');
  process.exitCode = await runProgram(terminal, process.argv.slice(2));
}
