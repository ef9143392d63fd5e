/** `pvusb devices`: the host's USB devices and who has them. */
import {
  describeGuests,
  describeHolder,
  listedDevices,
  secondName,
  shownDevices,
  whyNotAttachable,
} from '../../commands/index.js';
import { type Inventory, observe } from '../../pvusb/index.js';
import { describeDevice, type UsbDevice, type UsbNames } from '../../sysfs/index.js';
import { type CommonOptions, printJson, usbNames, withHost } from '../context.js';
import { type Column, displayWidth, formatTable } from '../table.js';
import type { Terminal } from '../terminal.js';
import { describeClass, describeSpeed, tellingSerials } from '../wording.js';

/** Options of the command. */
export interface DevicesOptions extends CommonOptions {
  /** Root hubs too. */
  readonly all?: boolean;
}

/** Runs the command. */
export async function runDevices(terminal: Terminal, options: DevicesOptions): Promise<void> {
  await withHost(terminal, options, async (host, { signal }) => {
    const inventory = await observe(host, { signal, uses: 'all', rules: true });
    const names = await usbNames(terminal, inventory.devices);
    if (options.json) printJson(terminal, listedDevices(inventory, names, options));
    else terminal.out(formatDevices(inventory, names, { ...options, columns: terminal.columns }));
  });
}

/** The column of drivers is cut to this width at most. */
const DRIVERS_MIN = 8;

/** What the host needs a device for may be a long path, and is cut to this width at most. Other reasons are shorter. */
const REASON_MIN = 18;

/** The table of devices, for a terminal of so many columns; nothing is cut if there is no terminal. */
export function formatDevices(
  inventory: Inventory,
  names: UsbNames,
  options: DevicesOptions & { readonly columns?: number | undefined } = {},
): string {
  const devices = shownDevices(inventory, options);
  if (devices.length === 0) return 'No USB device is plugged into this host.\n';
  const whole = formatTable(columnsOf(inventory, names, devices, ({ serial }) => serial));
  const width = options.columns ?? Number.POSITIVE_INFINITY;
  if (whole.split('\n').every((line) => displayWidth(line) <= width)) return whole;
  // Where there is no room for everything, a serial number has to be worth its width.
  const serials = tellingSerials(devices);
  return formatTable(
    columnsOf(inventory, names, devices, ({ busid }) => serials.get(busid)),
    width,
  );
}

function columnsOf(
  inventory: Inventory,
  names: UsbNames,
  devices: readonly UsbDevice[],
  serialOf: (device: UsbDevice) => string | undefined,
): readonly Column[] {
  const cells = (cell: (device: UsbDevice) => string) => ({ cells: devices.map(cell) });
  // Guests' names have to be typed, drivers' do not.
  const guests = devices.map((device) => displayWidth(describeGuests(inventory, device) ?? ''));
  return [
    { title: 'BUSID', ...cells(({ busid }) => busid) },
    { title: 'ADDR', ...cells(({ bus, address }) => `${bus}.${address}`) },
    { title: 'ID', ...cells(({ vendorId, productId }) => `${vendorId}:${productId}`) },
    { title: 'SERIAL', ...cells((device) => serialOf(device) ?? ''), rank: 4 },
    { title: 'SPEED', ...cells(({ speedMbps }) => describeSpeed(speedMbps)), rank: 2 },
    { title: 'CLASS', ...cells(describeClass), narrowest: 6, rank: 3 },
    {
      title: 'USED BY',
      ...cells((device) => describeHolder(inventory, device)),
      narrowest: Math.max(DRIVERS_MIN, ...guests),
    },
    {
      title: 'ATTACHABLE',
      ...cells((device) => describeAttachable(inventory, device)),
      narrowest: REASON_MIN,
    },
    { title: 'NAME', ...cells((device) => describeDevice(device, names)), narrowest: 16 },
    { title: 'LISTED AS', ...cells((device) => secondName(device, names) ?? ''), rank: 1 },
  ];
}

/** `yes`, `no (hub)`. */
function describeAttachable(inventory: Inventory, device: UsbDevice): string {
  const reason = whyNotAttachable(inventory, device);
  return reason === undefined ? 'yes' : `no (${reason})`;
}
