/** A daemon of its own process for `daemon.ts`: on the host that the environment names, with a real kernel's events. */
import { Daemon } from '../src/daemon/daemon.js';
import { keepSmall } from '../src/daemon/index.js';
import { openHost } from '../src/pvusb/index.js';
import { openHostPlugs } from '../src/sysfs/uevent-plugs.js';

keepSmall();
const daemon = new Daemon({
  async open(signal) {
    const host = await openHost({ signal });
    // The files of a published simulation report too little: without the kernel's events all is looked at in intervals.
    // A guest without a saved configuration, as all are here, is looked at for two minutes.
    return { ...host, plugs: () => openHostPlugs('/sys'), userdata: undefined };
  },
  onWatch: ({ event }) => console.log(event),
});
await daemon.run(new AbortController().signal);
