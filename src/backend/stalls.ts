/** What rules stall of one device, and what of that was told. Pure. */
import type { AlternateSetting, DeviceDescriptors, Setup } from '../usb/index.js';
import { type FirewallRule, stalledEndpoints } from './firewall.js';

/** A guest that tries one thing after the other fills no log; counters tell the rest. */
const TOLD_MAX = 32;

/** Of one device. */
export class Stalls {
  readonly #rules: readonly FirewallRule[];
  readonly #device: DeviceDescriptors;
  readonly #told = new Set<string>();
  #endpoints: ReadonlyMap<number, string> | undefined;

  constructor(rules: readonly FirewallRule[], device: DeviceDescriptors) {
    this.#rules = rules;
    this.#device = device;
  }

  /** The guest has chosen a configuration or a setting. */
  configured(): void {
    this.#endpoints = undefined;
  }

  /** Why transfers of an endpoint are stalled; undefined when they are not. */
  ofEndpoint(address: number, interfaces: readonly AlternateSetting[]): string | undefined {
    const { vendor, product } = this.#device;
    this.#endpoints ??= stalledEndpoints(this.#rules, { vendor, product, interfaces });
    return this.#endpoints.get(address);
  }

  /** The line that says what was stalled, the first time. */
  line(stalled: Setup | number, reason: string): string | undefined {
    // Numbers as they are written in the firewall's rules.
    const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`;
    const what =
      typeof stalled === 'number'
        ? `endpoint ${hex(stalled, 2)}`
        : `request ${hex(stalled.request, 2)} (bmRequestType ${hex(stalled.requestType, 2)}, wValue ${hex(stalled.value, 4)}, wIndex ${hex(stalled.index, 4)})`;
    if (this.#told.has(what) || this.#told.size >= TOLD_MAX) return undefined;
    this.#told.add(what);
    return `${what} is stalled: ${reason}`;
  }
}
