/** `pvusb export`: what a guest has, as the two settings of its xl.cfg file. */
import { exportUsb } from '../../commands/index.js';
import { findDomain, libxlUsb, listInventory } from '../../pvusb/index.js';
import { type CommonOptions, printJson, printJsonText, withHost } from '../context.js';
import type { Terminal } from '../terminal.js';

/** Runs the command. */
export async function runExport(terminal: Terminal, domain: string, options: CommonOptions): Promise<void> {
  await withHost(terminal, options, async (host, { signal }) => {
    const seen = await listInventory(host, { domain }, { signal, asksQemu: false });
    const { inventory, settings, text, notes } = exportUsb(seen, domain);
    if (options.jsonLibxl) printJsonText(terminal, libxlUsb(inventory, findDomain(inventory, domain)));
    else if (options.json) printJson(terminal, settings);
    else terminal.out(text);
    for (const sentence of notes) terminal.err(`pvusb: ${sentence}\n`);
  });
}
