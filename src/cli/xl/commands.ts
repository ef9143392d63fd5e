/** xl's five USB commands: the same arguments, the same output on success, the same exit status but for usage errors. */

import { addController, attachDevice, detachDevice, type Plan, removeController } from '../../pvusb/index.js';
import type { Terminal } from '../terminal.js';
import { parseControllerSpec, parseDeviceSpec, parseDevid, parsePort } from './grammar.js';
import { type Answer, runXl, type XlCommand } from './run.js';
import { USB_LIST } from './usb-list.js';

const COMMANDS: Readonly<Record<string, XlCommand>> = {
  'usbctrl-attach': {
    usage: '<Domain> [type=<type>] [version=<version>] [ports=<number>]',
    summary: 'Create a virtual USB controller for a domain.',
    minArgs: 1,
    prepare: ([domain, ...spec]) => {
      const request = { domain: domain!, ...parseControllerSpec(spec) };
      return async (host, options) => outcome(await addController(host, request, options));
    },
  },
  'usbctrl-detach': {
    usage: '<Domain> <DevId>',
    summary: 'Remove the virtual USB controller specified by <DevId> for a domain.',
    minArgs: 2,
    maxArgs: 2,
    prepare: ([domain, devid]) => {
      const request = { domain: domain!, devid: parseDevid(devid!) };
      return async (host, options) => outcome(await removeController(host, request, options));
    },
  },
  'usbdev-attach': {
    usage: '<Domain> hostbus=<busnum> hostaddr=<devnum> [controller=<DevId> [port=<port>]]',
    summary: 'Attach a USB device to a domain.',
    minArgs: 2,
    prepare: ([domain, ...spec]) => {
      const { hostbus, hostaddr, devid, port } = parseDeviceSpec(spec);
      const request = { domain: domain!, device: { hostbus, hostaddr }, devid, port };
      // xl does not check what the guest does with it.
      const once = { watchMs: 0 };
      return async (host, options) => outcome(await attachDevice(host, request, { ...options, ...once }));
    },
  },
  'usbdev-detach': {
    usage: '<Domain> <controller> <port>',
    summary: 'Detach a USB device from a domain.',
    minArgs: 3,
    maxArgs: 3,
    prepare: ([domain, controller, port]) => {
      const request = { domain: domain!, devid: parseDevid(controller!), port: parsePort(port!) };
      return async (host, options) => outcome(await detachDevice(host, request, options));
    },
  },
  'usb-list': USB_LIST,
};

function outcome({ plan, result }: { readonly plan: Plan; readonly result: unknown }): Answer {
  return { plan, data: result };
}

/** True for the names of xl's USB commands. */
export function isXlCommand(name: string): boolean {
  return Object.hasOwn(COMMANDS, name);
}

/** The commands with their arguments and summaries, for help and completion. */
export function xlCommands(): { readonly name: string; readonly usage: string; readonly summary: string }[] {
  return Object.entries(COMMANDS).map(([name, { usage, summary }]) => ({ name, usage, summary }));
}

/** Runs one of them and gives its exit status. */
export function runXlCommand(terminal: Terminal, name: string, argv: readonly string[]): Promise<number> {
  return runXl(terminal, name, COMMANDS[name]!, argv);
}
