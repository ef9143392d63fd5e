/** A device for rules to give away. */
import type { DeviceSpec } from '../../../src/sim/index.js';

/** A dongle in a socket that worlds leave empty. */
export const DONGLE: DeviceSpec = {
  busid: '1-8',
  vendorId: '1111',
  productId: '0001',
  deviceClass: '00',
  speedMbps: 12,
  serial: 'S1',
  interfaces: [{ number: 0, classes: 'ff/00/00' }],
};
