/** This machine as one that serves guests: Xen's devices, usbfs, and a folder for journals. */

import { EventChannels } from '../linux/evtchn.js';
import { GrantDevice } from '../linux/gntdev.js';
import { openJournal, removeJournal } from '../linux/journal-file.js';
import { loadLibc } from '../linux/libc.js';
import { openUsbfs, type UsbfsPlace } from '../linux/usbfs.js';
import { configurationOf, hubOf, parseBusid, portOf, type Sysfs, type UsbDevice } from '../sysfs/index.js';
import { StickImages } from './images.js';
import type { Machine } from './machine.js';
import { openVirtual } from './virtual.js';

/** Where journals are. */
const RUN_FOLDER = '/run/pvusb';

/**
 * Opens what serving guests takes. Loads the package that makes system calls.
 *
 * @param onLost nothing of any guest can be heard any more
 * @throws {LinuxError} this is no domain 0, or its devices may not be used
 */
export async function openMachine(sysfs: Sysfs, onLost: () => void, folder = RUN_FOLDER): Promise<Machine> {
  const libc = await loadLibc();
  const grants = new GrantDevice(libc);
  const channels = new EventChannels(libc, onLost);
  const images = new StickImages();
  const pathOf = (domid: number, devid: number): string => `${folder}/${domid}-${devid}.journal`;
  return {
    memory: libc,
    openGuest(domid, { urbRef, connectionRef, eventChannel }) {
      // The channel first: another backend that has it says so, and has not noticed anything.
      const channel = channels.bind(domid, eventChannel);
      try {
        return { channel, memory: grants.open(domid, urbRef, connectionRef) };
      } catch (error) {
        channel.close();
        throw error;
      }
    },
    openVirtual: (name) => openVirtual(images, name),
    openDevice: async (busid) => openUsbfs(libc, await placeOf(sysfs, busid)),
    journal: (domid, devid) => openJournal(libc, pathOf(domid, devid)),
    forget: (domid, devid) => removeJournal(pathOf(domid, devid)),
    close: () => libc.endWaits(),
  };
}

/** Where a device is, and the hub that it is plugged into. */
async function placeOf(sysfs: Sysfs, untrustedName: string): Promise<UsbfsPlace> {
  const busid = parseBusid(untrustedName);
  if (busid === undefined) throw new Error('the port does not name a device');
  const above = hubOf(busid)!;
  const devices = await sysfs.devices({ wanted: [busid, above] });
  const device = devices.find((one) => one.busid === busid);
  if (!device) throw new Error(`${busid} is not plugged in`);
  if (device.kind !== 'device') throw new Error(`${busid} is a hub`);
  const hub = devices.find((one) => one.busid === above);
  const socket = hub && { node: nodeOf(hub), port: portOf(busid)! };
  const [intf] = device.interfaces;
  return { node: nodeOf(device), socket, configuration: intf ? configurationOf(intf.id) : 0 };
}

function nodeOf({ bus, address }: Pick<UsbDevice, 'bus' | 'address'>): string {
  const digits = (number: number): string => String(number).padStart(3, '0');
  return `/dev/bus/usb/${digits(bus)}/${digits(address)}`;
}
