/** What a guest has, as the two settings of its xl.cfg file: what `export` answers. */
import {
  type Controller,
  type DomainName,
  deviceAt,
  findDomain,
  type Inventory,
  isServed,
  type Port,
  portState,
  type Served,
} from '../pvusb/index.js';
import { type ControllerSetting, type DeviceSetting, formatUsbSettings } from '../xlcfg/index.js';

/** The two settings. */
export interface ExportedSettings {
  readonly controllers: readonly ControllerSetting[];
  readonly devices: readonly DeviceSetting[];
}

/** What a guest has. */
export interface Exported {
  readonly settings: ExportedSettings;
  /** As they are in an xl.cfg file. */
  readonly text: string;
  /** What they cannot express, a sentence each. */
  readonly notes: readonly string[];
}

/**
 * The settings of a guest, and the inventory that they were made from: without devices that were never its.
 *
 * @throws {PvusbError} `no-such-domain`
 */
export function exportUsb(seen: Inventory, domain: DomainName): Exported & { readonly inventory: Inventory } {
  const { inventory, strange } = withoutStrangers(seen);
  const { settings, left } = settingsOf(inventory, findDomain(inventory, domain).domid);
  return { inventory, settings, text: formatUsbSettings(settings), notes: [...strange, ...left] };
}

/** A port names a socket, and another device sits in it now: that one was never the guest's, whatever its address. */
function withoutStrangers(seen: Inventory): { inventory: Inventory; strange: string[] } {
  const strange: string[] = [];
  const controllers = seen.controllers.map((controller): Controller => {
    const ports = controller.ports.map((port): Port => {
      if (portState(seen, { controller, port }) !== 'other-device') return port;
      strange.push(`The device in ${port.busid} is not the one that was attached: it is left out.`);
      return { port: port.port };
    });
    return { ...controller, ports };
  });
  return { inventory: { ...seen, controllers }, strange };
}

/** The settings, and what they cannot say. xl numbers controllers by their position in the list. */
function settingsOf(inventory: Inventory, domid: number) {
  const all = inventory.controllers.filter((controller) => controller.domid === domid);
  const ours = all.filter(isServed);
  const settings = {
    controllers: ours.map(controllerSetting),
    devices: ours.flatMap((controller, index) => deviceSettings(inventory, controller, index)),
  };
  const moved = ours.filter(({ devid }, index) => devid !== index).map(({ devid }) => devid);
  const left = [
    ...all
      .filter((controller) => !isServed(controller))
      .map(({ devid }) => `Controller ${devid} is of a type that pvusb cannot serve, and is left out.`),
    ...ours.flatMap(({ ports }) =>
      ports
        .filter(({ busid }) => busid !== undefined && !deviceAt(inventory, busid))
        .map(({ busid }) => `${busid} has been pulled out, and is left out.`),
    ),
    ...(moved.length === 0
      ? []
      : [`xl numbers controllers from 0: ${moved.join(', ')} will get another number.`]),
  ];
  return { settings, left };
}

function controllerSetting({ type, version, portCount }: Served): ControllerSetting {
  return { type, version, ports: portCount };
}

function deviceSettings(inventory: Inventory, { ports }: Controller, index: number): DeviceSetting[] {
  return ports.flatMap(({ port, busid }) => {
    const device = busid === undefined ? undefined : deviceAt(inventory, busid);
    return device ? [{ hostbus: device.bus, hostaddr: device.address, controller: index, port }] : [];
  });
}
