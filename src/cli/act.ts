/** Commands that change something: on this host, or through a daemon. */
import type { CallOptions, ChangeOptions, Daemon } from '../client/index.js';
import { type ToldPlan, toldPlan } from '../commands/index.js';
import type { Host, OperationOptions, Outcome } from '../pvusb/index.js';
import { type CommonOptions, withHost } from './context.js';
import type { Terminal } from './terminal.js';

/** What was done, or in a dry run would be. */
export interface Done<T> {
  readonly plans: readonly ToldPlan[];
  readonly result: T;
}

/** The two ways to the same result. */
interface Ways<T> {
  readonly here: (host: Host, operation: OperationOptions) => Promise<T>;
  readonly there: (daemon: Daemon, asked: ChangeOptions, call: CallOptions) => Promise<T>;
}

/** Goes the way that the command line says; shows on a terminal what is being done. */
export async function act<T>(
  terminal: Terminal,
  options: CommonOptions,
  { here, there }: Ways<T>,
): Promise<T> {
  const { daemon, signal } = terminal;
  if (!daemon) return withHost(terminal, options, here);
  const { follow } = await import('./remote/follow.js');
  const { dryRun } = options;
  return follow(terminal, daemon, (operation) => there(daemon, { dryRun, operation }, { signal }));
}

/** What an operation of one plan did. */
export function done<T>({ plan, result }: Outcome<T>): Done<T> {
  return { plans: [toldPlan(plan)], result };
}
