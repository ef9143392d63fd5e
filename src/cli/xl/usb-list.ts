/** `usb-list`, of xl's commands the one that scripts call most: it changes nothing, and needs half of the code. */

import { listInventory } from '../../pvusb/index.js';
import type { Terminal } from '../terminal.js';
import { formatUsbList } from './list.js';
import { runXl, type XlCommand } from './run.js';

/** The command `usb-list`. */
export const USB_LIST: XlCommand = {
  usage: '<Domain>',
  summary: 'List information about all USB controllers and devices for a domain.',
  minArgs: 1,
  maxArgs: 1,
  prepare: ([domain]) => {
    return async (host, { signal }) => {
      const inventory = await listInventory(host, { domain: domain! }, { signal, asksQemu: false });
      return { text: formatUsbList(inventory), data: inventory.controllers };
    };
  },
};

/** Runs it and gives its exit status. */
export function runUsbList(terminal: Terminal, argv: readonly string[]): Promise<number> {
  return runXl(terminal, 'usb-list', USB_LIST, argv);
}
