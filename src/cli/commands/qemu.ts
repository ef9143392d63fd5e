/** `pvusb qemu start` and `pvusb qemu stop`. */
import { startQemu, stopQemu } from '../../pvusb/index.js';
import { done } from '../act.js';
import { type CommonOptions, printOutcome, withHost } from '../context.js';
import { requireHere } from '../report.js';
import type { Terminal } from '../terminal.js';
import { asTyped } from '../wording.js';

/** Starts or stops the QEMU of a domain. */
export async function runQemu(
  terminal: Terminal,
  { verb, domain }: { readonly verb: 'start' | 'stop'; readonly domain: string },
  options: CommonOptions,
): Promise<void> {
  requireHere(terminal, `qemu ${verb}`);
  await withHost(terminal, options, async (host, operation) => {
    const act = verb === 'start' ? startQemu : stopQemu;
    const outcome = done(await act(host, { domain }, operation));
    printOutcome(terminal, options, outcome, ({ isChanged }) => {
      const name = `Domain ${asTyped(domain)}`;
      if (verb === 'start') return isChanged ? `${name} has a QEMU now.` : `${name} already has a QEMU.`;
      return isChanged ? `${name} no longer has a QEMU.` : `${name} has no QEMU.`;
    });
  });
}
