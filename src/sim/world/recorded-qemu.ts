/** The recorded host with guests that a QEMU serves. */

import { shortWorld } from './parse.js';
import { LAB_DEVICES } from './recorded-pv.js';
import type { World } from './world.js';

/**
 * The recorded host with four guests: `u1` (PV, no QEMU), `u2` (PV with a QEMU and an empty qusb controller 0 of four
 * ports), `p1` (PVH with a QEMU) and `h1` (HVM). With `usbback` false, as in the recordings of qusb, its kernel does
 * not serve type pv.
 */
export function qemuWorld({ usbback = true }: { readonly usbback?: boolean } = {}): World {
  return shortWorld({
    usbback,
    devices: LAB_DEVICES,
    domains: [
      { domid: 1, name: 'u1', type: 'pv', uuid: 'ff8fa94c-edbb-40fc-9897-13c8a4475599' },
      { domid: 2, name: 'u2', type: 'pv', uuid: '01e4bb79-e7ca-4b67-86a3-012082fb292f', deviceModel: true },
      { domid: 3, name: 'p1', type: 'pvh', uuid: '2f4d3a52-0b1c-4c57-9b0a-5f0d1a9c7e31', deviceModel: true },
      { domid: 4, name: 'h1', type: 'hvm', uuid: 'f7f885b9-a492-4e50-8c52-96957c4351ad' },
    ],
    controllers: [{ domid: 2, devid: 0, type: 'qusb', version: 2, ports: 4 }],
  });
}
