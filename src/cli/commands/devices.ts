/** `pvusb devices`: the host's USB devices and who has them. */
import { type Inventory, observe } from '../../pvusb/index.js';
import { describeDevice, type UsbNames } from '../../sysfs/index.js';
import { type CommonOptions, printJson, usbNames, withHost } from '../context.js';
import { formatTable } from '../table.js';
import type { Terminal } from '../terminal.js';
import {
  describeAssignable,
  describeClass,
  describeHolder,
  describeSpeed,
  whyUnassignable,
} from '../wording.js';

/** Options of the command. */
export interface DevicesOptions extends CommonOptions {
  /** Root hubs too. */
  readonly all?: boolean;
}

/** Runs the command. */
export async function runDevices(terminal: Terminal, options: DevicesOptions): Promise<void> {
  await withHost(terminal, options, async (host, { signal }) => {
    const inventory = await observe(host, { signal });
    const names = await usbNames(terminal, inventory.devices);
    if (options.json) printJson(terminal, devicesJson(inventory, names, options));
    else terminal.out(formatDevices(inventory, names, { ...options, columns: terminal.columns }));
  });
}

function shown(inventory: Inventory, options: DevicesOptions) {
  return inventory.devices.filter(({ kind }) => options.all || kind !== 'root-hub');
}

/** The table of devices. */
export function formatDevices(
  inventory: Inventory,
  names: UsbNames,
  options: DevicesOptions & { readonly columns?: number | undefined } = {},
): string {
  const devices = shown(inventory, options);
  if (devices.length === 0) return 'No USB device is plugged into this host.\n';
  const rows = devices.map((device) => [
    device.busid,
    `${device.bus}.${device.address}`,
    `${device.vendorId}:${device.productId}`,
    describeSpeed(device.speedMbps),
    describeClass(device),
    describeHolder(inventory, device),
    describeAssignable(inventory, device),
    describeDevice(device, names),
  ]);
  return formatTable(
    ['BUSID', 'ADDR', 'ID', 'SPEED', 'CLASS', 'USED BY', 'ATTACHABLE', 'NAME'],
    rows,
    options.columns,
  );
}

function devicesJson(inventory: Inventory, names: UsbNames, options: DevicesOptions) {
  return shown(inventory, options).map((device) => {
    const reason = whyUnassignable(inventory, device);
    return {
      ...device,
      name: describeDevice(device, names),
      usedBy: describeHolder(inventory, device),
      assignable: reason === undefined,
      ...(reason === undefined ? {} : { reason }),
    };
  });
}
