/** What all our commands share: options, the host, printing and errors. */

import { barePlan, type ToldPlan } from '../commands/index.js';
import { type Host, type OperationOptions, openHost, type Progress } from '../pvusb/index.js';
import { printableJsonText, readUsbNames, type UsbDevice, type UsbNames } from '../sysfs/index.js';
import { printableJson } from './printable.js';
import { ProgressLine } from './progress.js';
import type { Terminal } from './terminal.js';

/** Options that commands share. */
export interface CommonOptions {
  readonly json?: boolean | undefined;
  /** `--json=libxl` */
  readonly jsonLibxl?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  readonly sysfsRoot?: string | undefined;
}

/** Opens the host, runs `body`, and closes it whatever happens. */
export async function withHost<T>(
  terminal: Terminal,
  options: CommonOptions,
  body: (host: Host, operation: OperationOptions) => Promise<T>,
): Promise<T> {
  const progress = new ProgressLine(terminal);
  const { signal, env } = terminal;
  const onStep = (step: Progress): void => {
    progress.onStep(step);
    terminal.onStep?.(step);
  };
  const operation = { signal, dryRun: options.dryRun, onStep };
  try {
    if (terminal.host) return await body(terminal.host, operation);
    await using host = await openHost({ signal, environment: env, sysfsRoot: options.sysfsRoot });
    return await body(host, operation);
  } finally {
    progress.clear();
  }
}

/** The names of devices in usb.ids: the file in `PVUSB_USBIDS`, otherwise the installed one. No names if there is none. */
export function usbNames({ env }: Terminal, devices: readonly UsbDevice[]): Promise<UsbNames> {
  return readUsbNames(devices, env.PVUSB_USBIDS ? [env.PVUSB_USBIDS] : undefined);
}

/** Prints data as JSON. */
export function printJson(terminal: Terminal, data: unknown): void {
  terminal.out(`${printableJson(data)}\n`);
}

/** Prints what already is JSON. */
export function printJsonText(terminal: Terminal, untrustedText: string): void {
  terminal.out(`${printableJsonText(untrustedText)}\n`);
}

/** The end of every dry run. */
const UNCHANGED = 'Nothing was changed (--dry-run).\n';

/** What a dry run says. */
export function formatDryRun(plans: readonly ToldPlan[]): string {
  return `${plans.map(({ text }) => text).join('')}${UNCHANGED}`;
}

/** What an operation of one plan would do, as data. */
export function planned<T>([plan]: readonly ToldPlan[], result: T) {
  return { plan: plan && barePlan(plan), result };
}

/** Prints what an operation did or would do. */
export function printOutcome<T>(
  terminal: Terminal,
  options: CommonOptions,
  { plans, result }: { readonly plans: readonly ToldPlan[]; readonly result: T },
  sentence: (result: T) => string,
): void {
  if (options.json) printJson(terminal, options.dryRun ? planned(plans, result) : result);
  else if (options.dryRun) terminal.out(formatDryRun(plans));
  else terminal.out(`${sentence(result)}\n`);
}
