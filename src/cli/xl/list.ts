/** The text of `xl usb-list`, byte for byte. */
import { type Controller, deviceAt, type Inventory, traitsOf } from '../../pvusb/index.js';

const HEADER = row(['Devid', 'Type', 'BE', 'state', 'usb-ver', 'ports']);

/** For each controller the header, a line, and a line a port. Bus and device are hexadecimal, as xl prints them. */
export function formatUsbList(inventory: Inventory): string {
  return inventory.controllers.map((controller) => HEADER + formatController(inventory, controller)).join('');
}

function formatController(inventory: Inventory, controller: Controller): string {
  const { devid, type, backendDomid, version, portCount, untrustedFrontend } = controller;
  const state = traitsOf(controller)?.isEmulated ? 0 : (untrustedFrontend.state ?? -1);
  const first = row([devid, type, backendDomid, state, version, portCount].map(String));
  const ports = controller.ports.map(({ port, busid }) => {
    const device = busid === undefined ? undefined : deviceAt(inventory, busid);
    const place = device ? ` Bus ${hex(device.bus)} Device ${hex(device.address)}` : '';
    return `  Port ${port}:${place}\n`;
  });
  return first + ports.join('');
}

function row(cells: readonly string[]): string {
  const widths = [6, 12, 3, 5, 7, 5];
  return `${cells.map((cell, k) => cell.padEnd(widths[k]!)).join(' ')}\n`;
}

function hex(number: number): string {
  return number.toString(16).padStart(3, '0');
}
