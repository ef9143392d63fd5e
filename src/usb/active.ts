/** What of a device is in use: its configuration, the alternate settings, and so its endpoints. Pure. */
import type { AlternateSetting, Configuration, DeviceDescriptors, Endpoint } from './descriptors.js';

/** The state that SET_CONFIGURATION and SET_INTERFACE change. */
export class ActiveConfiguration {
  readonly #descriptors: DeviceDescriptors;
  #current: Configuration | undefined;
  readonly #settings = new Map<number, number>();
  #interfaces: readonly AlternateSetting[] = [];
  /** By address: an endpoint, and the setting that it is of. */
  readonly #endpoints = new Map<number, { readonly endpoint: Endpoint; readonly of: AlternateSetting }>();

  /** @param value of the configuration that the device is in; 0 for none */
  constructor(descriptors: DeviceDescriptors, value: number) {
    this.#descriptors = descriptors;
    this.configure(value);
  }

  /** `bConfigurationValue` of the configuration; 0 when there is none. */
  get value(): number {
    return this.#current?.value ?? 0;
  }

  /** Whether any interface is in another setting than its first. */
  get isTouched(): boolean {
    return [...this.#settings.values()].some((setting) => setting !== 0);
  }

  /** The settings of the interfaces, by number of the interface. */
  get settings(): ReadonlyMap<number, number> {
    return this.#settings;
  }

  /** The alternate settings in use. */
  get interfaces(): readonly AlternateSetting[] {
    return this.#interfaces;
  }

  /** An endpoint in use, by its address with the direction. */
  endpoint(address: number): Endpoint | undefined {
    return this.#endpoints.get(address)?.endpoint;
  }

  /** The alternate setting that an endpoint in use is of. */
  settingOf(address: number): AlternateSetting | undefined {
    return this.#endpoints.get(address)?.of;
  }

  /** Whether the device has such a configuration. */
  hasConfiguration(value: number): boolean {
    return this.#descriptors.configurations.some((one) => one.value === value);
  }

  /** Whether the current configuration has such a setting. */
  hasSetting(interfaceNumber: number, setting: number): boolean {
    return (this.#current?.settings ?? []).some(
      (one) => one.interface === interfaceNumber && one.setting === setting,
    );
  }

  /** A configuration was chosen: all of its interfaces are in their first setting. */
  configure(value: number): void {
    this.#current = this.#descriptors.configurations.find((one) => one.value === value);
    this.#settings.clear();
    for (const one of this.#current?.settings ?? []) this.#settings.set(one.interface, 0);
    this.#listEndpoints();
  }

  /** A setting of an interface was chosen. */
  select(interfaceNumber: number, setting: number): void {
    if (!this.hasSetting(interfaceNumber, setting)) return;
    this.#settings.set(interfaceNumber, setting);
    this.#listEndpoints();
  }

  #listEndpoints(): void {
    const settings = this.#current?.settings ?? [];
    this.#interfaces = settings.filter((one) => this.#settings.get(one.interface) === one.setting);
    this.#endpoints.clear();
    for (const of of this.#interfaces) {
      for (const endpoint of of.endpoints) this.#endpoints.set(endpoint.address, { endpoint, of });
    }
  }
}
