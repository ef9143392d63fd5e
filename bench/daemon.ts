/**
 * What the daemon costs: from a plug to the port written, an attach with many domains, a burst of events, memory, and
 * what it does while nothing happens. QEMU's own way is beside it: it looks for plugged devices every two seconds
 * (`host-libusb.c: usb_host_auto_check`). `npm run bench:daemon`.
 */
import { systemClock } from '../src/async/index.js';
import { Daemon } from '../src/daemon/daemon.js';
import { keepSmall } from '../src/daemon/index.js';
import { attachDevice, type Host } from '../src/pvusb/index.js';
import { type DeviceSpec, SimHost } from '../src/sim/index.js';
import { Sysfs } from '../src/sysfs/index.js';
import { XenstoreClient } from '../src/xenstore/index.js';
import { CountingTransport } from '../test/support/counting.js';
import { Plugs } from '../test/support/plugs.js';
import { measureProcess } from './daemon-process.js';
import { median } from './measure.js';
import { ms, printGoals, printTable } from './report.js';
import { worldOf } from './stores.js';
import { WaveCounter } from './waves.js';

const PLUGS = 21;
const PAUSE_MS = 500;
const BURST = 100;
/** QEMU's interval: a plug waits for half of it at the median. */
const RESCAN_US = 2_000_000 / 2;

const HUB: DeviceSpec = {
  busid: 'usb1',
  vendorId: '1d6b',
  productId: '0002',
  deviceClass: '09',
  speedMbps: 480,
  maxChild: 14,
  interfaces: [{ number: 0, classes: '09/00/00' }],
};

function device(busid: string, serial: string): DeviceSpec {
  return {
    busid,
    vendorId: '46f4',
    productId: '0001',
    deviceClass: '00',
    speedMbps: 480,
    serial,
    interfaces: [{ number: 0, classes: '08/06/50' }],
  };
}

/** A host with a daemon on it. */
async function start(domains: number, rules: string, devices: readonly DeviceSpec[] = []) {
  const sim = await SimHost.create(worldOf({ domains, controllers: 1, ports: 8 }));
  await sim.plug(HUB);
  for (const one of devices) await sim.plug(one);
  await sim.idle();
  let transport: CountingTransport | undefined;
  const abort = new AbortController();
  const files = [{ path: 'assignments.conf', text: rules }];
  const daemon = new Daemon({
    open: async () => {
      transport = new CountingTransport(sim.store.connect(0));
      const xenstore = new XenstoreClient(transport);
      const close = async (): Promise<void> => xenstore.close();
      return {
        xenstore,
        sysfs: new Sysfs(sim.usb.files),
        clock: systemClock,
        plugs: async () => new Plugs(sim, { drivers: true }),
        rules: { root: '/etc/pvusb', read: async () => files, change: async () => undefined },
        close,
        [Symbol.asyncDispose]: close,
      };
    },
  });
  const end = daemon.run(abort.signal);
  await until(daemon, () => daemon.state === 'ready');
  return {
    sim,
    daemon,
    /** How often xenstored has been asked. */
    requests: () => transport!.requests,
    async stop(): Promise<void> {
      abort.abort(new Error('stopped'));
      await end;
      await sim.close();
    },
  };
}

function until(daemon: Daemon, holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    if (holds()) return resolve();
    const deafen = daemon.events.listen(() => {
      if (!holds()) return;
      deafen();
      resolve();
    });
  });
}

/** The node of the port that a rule gives a device to. */
const PORT = '/local/domain/0/backend/vusb/1/0/port/1';

/** From a plug, which the kernel reports at once, to the port written. */
async function measurePlug(domains: number): Promise<number> {
  const { sim, stop } = await start(domains, 'auto guest1 serial=S');
  const watcher = new XenstoreClient(sim.store.connect(0));
  const changes = await watcher.watch(PORT);
  const holds = async (value: string): Promise<void> => {
    while ((await watcher.read(PORT)) !== value) await changes.next();
  };
  const taken: number[] = [];
  for (let i = 0; i < PLUGS; i++) {
    const plugged = performance.now();
    await sim.plug(device('1-1', 'S'));
    await holds('1-1');
    taken.push((performance.now() - plugged) * 1000);
    await sim.idle();
    await sim.unplug('1-1');
    await holds('');
    // A person does not replug within a second.
    await systemClock.sleep(PAUSE_MS);
  }
  watcher.close();
  await stop();
  return median(taken);
}

/** From the first of many events within a second until everything is as the rules say. */
async function measureBurst(): Promise<number> {
  const rules = Array.from({ length: 12 }, (_, i) => `auto guest${i + 1} serial=S${i}`).join('\n');
  const { sim, daemon, stop } = await start(50, rules);
  const plugs = Array.from({ length: 12 }, (_, i) => device(`1-${i + 1}`, `S${i}`));
  let last = 0;
  for (let events = 0; events < BURST - plugs.length; events += 2) {
    const one = plugs[(events / 2) % plugs.length]!;
    await sim.plug(one);
    await sim.unplug(one.busid);
  }
  for (const one of plugs) await sim.plug(one);
  last = performance.now();
  const isSettled = async (): Promise<boolean> => {
    const { controllers } = await daemon.inventory();
    const given = new Set(controllers.flatMap(({ ports }) => ports.flatMap(({ busid }) => busid ?? [])));
    return plugs.every(({ busid }) => given.has(busid as never));
  };
  while (!(await isSettled())) await systemClock.sleep(5);
  const taken = (performance.now() - last) * 1000;
  await stop();
  return taken;
}

async function measureAttach(domains: number): Promise<{ cold: number; warm: number }> {
  const { daemon, requests, stop } = await start(domains, '', [device('1-1', 'S')]);
  await systemClock.sleep(500);
  const before = requests();
  const by = { name: 'root', via: 'unix', role: 'admin' } as const;
  await daemon.operate({ what: 'attach', by, request: {} }, (host, options) =>
    attachDevice(host, { domain: 1, device: '1-1' }, options),
  );
  const warm = requests() - before;
  await stop();
  const again = await SimHost.create(worldOf({ domains, controllers: 1, ports: 8 }));
  await again.plug(HUB);
  await again.plug(device('1-1', 'S'));
  const waves = new WaveCounter(again.store.connect(0));
  const xenstore = new XenstoreClient(waves);
  const host: Host = { xenstore, sysfs: new Sysfs(again.usb.files), clock: systemClock };
  await attachDevice(host, { domain: 1, device: '1-1' });
  xenstore.close();
  await again.close();
  return { cold: waves.requests, warm };
}

keepSmall();
const warmAt = [1, 50, 300];
const attaches: { domains: number; cold: number; warm: number }[] = [];
for (const domains of warmAt) attaches.push({ domains, ...(await measureAttach(domains)) });
printTable('requests of an attach', [
  ['domains', 'cold', 'by the daemon'],
  ...attaches.map(({ domains, cold, warm }) => [`${domains}`, `${cold}`, `${warm}`]),
]);
const plugUs = await measurePlug(50);
printTable(`from a plug to the port written, 50 domains (median of ${PLUGS})`, [
  ['', 'time'],
  ['the daemon', ms(plugUs)],
  ["QEMU's own rescan", ms(RESCAN_US)],
]);

const burstUs = await measureBurst();
const many = attaches.at(-1)!;
const processGoals = await measureProcess((domains) => worldOf({ domains, controllers: 1, ports: 8 }));
process.exitCode = printGoals([
  { goal: 'from a plug to the port: at most 20 ms', figure: ms(plugUs), met: plugUs <= 20_000 },
  { goal: 'attach with 300 domains: at most 60 requests', figure: `${many.warm}`, met: many.warm <= 60 },
  { goal: `settled after ${BURST} events: within 1 s`, figure: ms(burstUs), met: burstUs <= 1_000_000 },
  ...processGoals,
])
  ? 0
  : 1;
