/** Reports when USB devices come and go, and when their drivers do, from the kernel's own events. */
import { openUevents } from '../linux/uevents.js';
import { Gathered } from './gathered.js';
import { openPlugs, type Plugs } from './plugs.js';
import { openUdevadm } from './udevadm.js';
import { parseUevent } from './uevent.js';

/**
 * Follows this host's devices: by the kernel's netlink socket; where that is not to be had, by `udevadm monitor`; where
 * there is neither, by the nodes of the devices. Any other `root` is a simulation, whose files are watched.
 */
export async function openHostPlugs(root: string): Promise<Plugs> {
  if (root !== '/sys') return openPlugs(root);
  const gathered = new Gathered();
  const socket = await openUevents(({ received, isLossy }) => {
    for (const untrustedBytes of received) {
      const event = parseUevent(untrustedBytes);
      if (event) gathered.stir(event.name);
    }
    if (isLossy) gathered.lose();
  });
  if (socket) {
    gathered.end = () => socket.close();
    return gathered;
  }
  return (await openUdevadm()) ?? openPlugs(root);
}
