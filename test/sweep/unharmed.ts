/** A program on a simulated host, undisturbed. */
import type { Host } from '../../src/pvusb/index.js';
import type { SimHost } from '../../src/sim/index.js';
import { Sysfs } from '../../src/sysfs/index.js';
import { XenstoreClient } from '../../src/xenstore/index.js';
import { qemusOf } from '../support/qemus.js';
import { SavedFiles, SimUserdata } from './saved-files.js';
import { ending, ManualClock } from './settle.js';

/** Runs an operation of another program on the same host. */
export async function unharmed<T>(sim: SimHost, run: (host: Host) => Promise<T>): Promise<T> {
  const clock = new ManualClock();
  const clients: XenstoreClient[] = [];
  const open = (): XenstoreClient => {
    const client = new XenstoreClient(sim.store.connect(0), { clock, random: () => 0 });
    clients.push(client);
    return client;
  };
  let calls = 0;
  sim.store.onRequest = () => {
    calls++;
  };
  const sysfs = new Sysfs(sim.usb.files, clock);
  const userdata = new SimUserdata(SavedFiles.of(sim));
  const host: Host = {
    xenstore: open(),
    sysfs,
    qemu: qemusOf(sim, clock),
    clock,
    userdata,
    reopen: async () => open(),
  };
  const end = await ending(run(host), clock, () => calls);
  userdata.end();
  for (const client of clients) client.close();
  delete sim.store.onRequest;
  if (end.how === 'done') return end.value;
  throw end.how === 'failed' ? end.error : new Error('hung without any fault');
}
