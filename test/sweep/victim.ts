/** A process that waits for an order, does one operation on a published host, and is killed meanwhile. */
import { attachDevice, detachDevice, openHost } from '../../src/pvusb/index.js';

/** What it is told to do. */
export interface Order {
  readonly socket: string;
  readonly sysfsRoot: string;
  /** Where libxl's files are. */
  readonly userdataRoot: string;
  readonly operation: 'attach' | 'detach';
  readonly busid: string;
}

process.once('message', async (order: Order) => {
  const host = await openHost({
    environment: { XENSTORED_PATH: order.socket },
    sysfsRoot: order.sysfsRoot,
    userdataRoot: order.userdataRoot,
  });
  if (order.operation === 'attach') await attachDevice(host, { domain: 1, device: order.busid });
  else await detachDevice(host, { device: order.busid });
  host.xenstore.close();
  process.exit(0);
});
process.send?.('ready');
