/** `pvusb inventory`: the whole host as data, which "pvusb sim --world" simulates elsewhere. */

import { observe } from '../../pvusb/index.js';
import { type CommonOptions, printJson, withHost } from '../context.js';
import type { Terminal } from '../terminal.js';

/** Runs the command. */
export async function runInventory(terminal: Terminal, options: CommonOptions): Promise<void> {
  await withHost(terminal, options, async (host, { signal }) =>
    printJson(
      terminal,
      await observe(host, { signal, asks: 'all', details: true, rules: true, uses: 'all', rings: true }),
    ),
  );
}
