/** `pvusb sim plug|unplug|kill-guest|kill-qemu`: what happens to a simulated host that runs. */
import { connect } from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import { PvusbError } from '../../pvusb/index.js';
import type { ControlAnswer, ControlRequest, ControlResult } from '../../sim/index.js';
import { printable } from '../../sysfs/index.js';
import { printJson } from '../context.js';
import { usageError } from '../report.js';
import { readBytes } from '../settings-file.js';
import type { Terminal } from '../terminal.js';
import { asTyped } from '../wording.js';

/** Options of these commands. */
export interface SimControlOptions {
  readonly dir?: string;
  readonly json?: boolean;
  readonly into?: string;
  readonly world?: string;
  readonly leaveRecords?: boolean;
}

/** Plugs in a device that the host has or had, or one of a world's file. */
export async function runSimPlug(
  terminal: Terminal,
  device: string,
  options: SimControlOptions,
): Promise<void> {
  const { into, world } = options;
  const text = world === undefined ? undefined : String(await readBytes(world));
  await control(terminal, 'plug', options, { does: 'plug', device, into, world: text }, ({ busids = [] }) => {
    const [busid, ...behind] = busids;
    return `${busid} is plugged in${alsoBehind(behind)}.`;
  });
}

/** Pulls a device out. */
export async function runSimUnplug(
  terminal: Terminal,
  device: string,
  options: SimControlOptions,
): Promise<void> {
  await control(terminal, 'unplug', options, { does: 'unplug', device }, ({ busids = [] }) => {
    const [busid, ...behind] = busids;
    return `${busid} is pulled out${alsoBehind(behind)}.`;
  });
}

/** Ends a guest. */
export async function runSimKillGuest(
  terminal: Terminal,
  domain: string,
  options: SimControlOptions,
): Promise<void> {
  const request = { does: 'kill-guest', domain, leaveRecords: options.leaveRecords } as const;
  await control(terminal, 'kill-guest', options, request, () => `Domain ${asTyped(domain)} is gone.`);
}

/** Kills the QEMU of a guest. */
export async function runSimKillQemu(
  terminal: Terminal,
  domain: string,
  options: SimControlOptions,
): Promise<void> {
  const says = (): string => `The QEMU of domain ${asTyped(domain)} is dead.`;
  await control(terminal, 'kill-qemu', options, { does: 'kill-qemu', domain }, says);
}

function alsoBehind(busids: readonly string[]): string {
  return busids.length === 0 ? '' : `, with what is behind it: ${busids.join(', ')}`;
}

async function control(
  terminal: Terminal,
  command: string,
  options: SimControlOptions,
  request: ControlRequest,
  sentence: (result: ControlResult) => string,
): Promise<void> {
  const dir = folderOf(terminal, command, options.dir);
  const told = await ask(join(dir, 'control'), JSON.stringify(request), terminal.signal);
  if (told === undefined) {
    const remedy = 'Start one with "pvusb sim --dir DIR", or name the folder of another with --dir.';
    throw new PvusbError('simulation-failed', `No simulated host runs in ${dir}.`, { remedy });
  }
  const answer = JSON.parse(told) as ControlAnswer;
  if ('error' in answer) throw refusal(answer.error);
  if (options.json) printJson(terminal, answer.result);
  else terminal.out(`${printable(sentence(answer.result as ControlResult))}\n`);
}

/** The folder that was named, or the one that the environment points to, as "pvusb sim" printed it. */
function folderOf({ env }: Terminal, command: string, dir: string | undefined): string {
  if (dir !== undefined) return resolve(dir);
  const { XENSTORED_PATH: path } = env;
  if (path !== undefined && basename(path) === 'socket') return dirname(resolve(path));
  throw usageError('Which simulated host? Name its folder with --dir.', `pvusb sim ${command}`);
}

function refusal({ code, message }: { readonly code: string; readonly message: string }): PvusbError {
  if (code === 'no-such-device' || code === 'no-such-domain') return new PvusbError(code, message);
  return new PvusbError('simulation-refused', message);
}

/** Sends a line and gives the one that answers; undefined when nobody does. */
function ask(path: string, line: string, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(path, () => socket.write(`${line}\n`)).setEncoding('utf8');
    const stop = (): void => {
      socket.destroy();
      reject(new PvusbError('aborted', 'Interrupted while waiting for the simulated host.'));
    };
    signal.addEventListener('abort', stop, { once: true });
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', () => resolve(undefined));
    socket.on('close', () => {
      signal.removeEventListener('abort', stop);
      resolve(text.endsWith('\n') ? text : undefined);
    });
  });
}
