/** How many answers an attach waits for in sequence. */
import { systemClock } from '../src/async/index.js';
import { attachDevice, type Host } from '../src/pvusb/index.js';
import { SimHost } from '../src/sim/index.js';
import { Sysfs } from '../src/sysfs/index.js';
import { XenstoreClient } from '../src/xenstore/index.js';
import { type Goal, printTable } from './report.js';
import { worldOf } from './stores.js';
import { WaveCounter } from './waves.js';

const LIMIT = 12;
const HUB = {
  busid: 'usb1',
  vendorId: '1d6b',
  productId: '0002',
  deviceClass: '09',
  speedMbps: 480,
  maxChild: 8,
};
const DEVICE = { busid: '1-1', vendorId: '0627', productId: '0001', deviceClass: '00', speedMbps: 480 };

/** Counts on simulated hosts with few and many domains. */
export async function countAttach(): Promise<Goal[]> {
  const counts: { domains: number; waves: number; requests: number }[] = [];
  for (const domains of [1, 50, 300]) counts.push({ domains, ...(await attachOnce(domains)) });
  printTable('attach of a device with one interface to an existing controller', [
    ['domains', 'sequential round trips', 'requests'],
    ...counts.map(({ domains, waves, requests }) => [String(domains), String(waves), String(requests)]),
  ]);
  return counts.map(({ domains, waves }) => ({
    goal: `attach with ${domains} domains: at most ${LIMIT} sequential round trips`,
    figure: String(waves),
    met: waves <= LIMIT,
  }));
}

async function attachOnce(domains: number): Promise<{ waves: number; requests: number }> {
  const sim = await SimHost.create(worldOf({ domains, controllers: 1, ports: 8 }));
  await sim.plug({ ...HUB, interfaces: [{ number: 0, classes: '09/00/00' }] });
  await sim.plug({ ...DEVICE, interfaces: [{ number: 0, classes: '03/01/01' }] });
  await sim.idle();
  const counter = new WaveCounter(sim.store.connect(0));
  const xenstore = new XenstoreClient(counter);
  const host: Host = { xenstore, sysfs: new Sysfs(sim.usb.files), clock: systemClock };
  await attachDevice(host, { domain: 1, device: DEVICE.busid });
  xenstore.close();
  await sim.close();
  return { waves: counter.waves, requests: counter.requests };
}
