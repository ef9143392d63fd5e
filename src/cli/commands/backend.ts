/** `pvusb backend`: serves guests. */
import { runBackend } from '../../serve/index.js';
import { printable } from '../../sysfs/index.js';
import type { Terminal } from '../terminal.js';

/** Its options. */
interface BackendOptions {
  readonly virtual?: readonly string[];
  readonly firewall?: string;
  readonly trace?: string;
  readonly traceSecrets?: boolean;
  readonly metrics?: string;
  readonly sysfsRoot?: string;
}

/** Serves until it is stopped; prints what happens, one line each. */
export async function runBackendCommand(terminal: Terminal, options: BackendOptions): Promise<void> {
  const { signal, env: environment } = terminal;
  await runBackend({
    ...options,
    signal,
    environment,
    sysfsRoot: options.sysfsRoot || environment.PVUSB_SYSFS,
    log: (message) => terminal.out(`${printable(message)}\n`),
  });
}
