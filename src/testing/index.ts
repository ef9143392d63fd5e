/**
 * A host for tests of programs that use pvusb: `await using host = await simulatedHost(labWorld())`, with worlds of
 * `pvusb/sim`.
 */
import { systemClock } from '../async/index.js';
import { HostUses } from '../hostuse/index.js';
import type { OpenHost, QuiescedFiles, QuiescedGuest, RuleFiles } from '../pvusb/index.js';
import { QmpClient, QmpError } from '../qmp/index.js';
import { type HostOptions, SimHost, type World } from '../sim/index.js';
import { Sysfs } from '../sysfs/index.js';
import { XenstoreClient } from '../xenstore/index.js';

/** A host in memory, and what happens to it. */
export interface SimulatedHost extends OpenHost {
  /** Plugs and unplugs devices, boots and kills guests. */
  readonly sim: SimHost;
}

/** Starts a world and opens it as a program opens its host. Closing it ends the world. */
export async function simulatedHost(world: World, options: HostOptions = {}): Promise<SimulatedHost> {
  const sim = await SimHost.create(world, options);
  const host = { ...hostOf(sim), rules: rulesInMemory(world), quiesced: quiescedInMemory() };
  const close = async (): Promise<void> => {
    await host.close();
    await sim.close();
  };
  return { ...host, sim, close, [Symbol.asyncDispose]: close };
}

/** A simulated host as the operations see it. Closing it leaves the simulation as it is. */
export function hostOf(sim: SimHost): OpenHost {
  const connect = (): XenstoreClient => new XenstoreClient(sim.store.connect(0));
  const xenstore = connect();
  const inFlight = new Set<Promise<unknown>>();
  const close = async (): Promise<void> => {
    while (inFlight.size > 0) await Promise.allSettled(inFlight);
    xenstore.close();
  };
  return {
    xenstore,
    sysfs: new Sysfs(sim.usb.files),
    uses: new HostUses(sim.usb.hostFiles),
    qemu: async (domid, call) => {
      const qemu = sim.qemus.get(domid);
      if (qemu?.alive) return QmpClient.open(qemu.connectQmp(), call);
      // A dead one refuses connections, like a socket that nothing listens on.
      const cause = Object.assign(new Error('connect'), { code: qemu ? 'ECONNREFUSED' : 'ENOENT' });
      throw new QmpError('unreachable', 'connect', `cannot connect to QEMU ${domid} (${cause.code})`, {
        cause,
      });
    },
    clock: systemClock,
    reopen: async () => connect(),
    inFlight,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** The files of rules of a world, in memory. */
function rulesInMemory({ ruleFiles = [] }: World): RuleFiles {
  const texts = new Map(ruleFiles.map(({ path, text }) => [path, text]));
  return {
    root: '/etc/pvusb',
    read: async () => [...texts].map(([path, text]) => ({ path, text })),
    async change(path, change) {
      const text = change(texts.get(path) ?? '');
      if (text !== undefined) texts.set(path, text);
    },
  };
}

/** What quiesced guests had, in memory. */
function quiescedInMemory(): QuiescedFiles {
  const guests = new Map<string, QuiescedGuest>();
  return {
    list: async () => [...guests.values()],
    async write(guest) {
      guests.set(guest.token, guest);
    },
    async remove(token) {
      guests.delete(token);
    },
  };
}
