/** Time and memory as the host grows. */
import type { Daemon } from '../test/xenstored/daemon.js';
import { interleave } from './measure.js';
import { type Peer, startModule } from './peers.js';
import { type Goal, ms, printTable } from './report.js';
import { startStore } from './stores.js';

const DOMAINS = [125, 250, 500, 1000] as const;
const CONTROLLERS = 2;
const ROUNDS = 11;
const RSS_MAX_MB = 150;
/** A controller of the largest host may take this many times as long as one of the others. */
const GROWTH_MAX = 1.3;

/** Measures each size in a process of its own. */
export async function measureScale(): Promise<Goal[]> {
  const daemons: Daemon[] = [];
  const peers: Peer[] = [];
  const children = new Map<string, { ask: () => Promise<number>; rssMb: number }>();
  for (const domains of DOMAINS) {
    const daemon = await startStore({ domains, controllers: CONTROLLERS, ports: 8 });
    const child = startModule('scale-child', daemon.socket);
    daemons.push(daemon);
    peers.push(child);
    const entry = {
      rssMb: 0,
      async ask() {
        const { us, rest } = await child.ask('observe');
        if (rest[0] !== domains * CONTROLLERS) throw new Error(`${rest[0]} controllers were found`);
        entry.rssMb = rest[1]! / 1024;
        return us;
      },
    };
    children.set(String(domains), entry);
  }
  const measured = await interleave(
    ROUNDS,
    Object.fromEntries([...children].map(([name, { ask }]) => [name, ask])),
  );
  for (const peer of peers) await peer[Symbol.asyncDispose]();
  for (const daemon of daemons) await daemon.stop();
  const perController = DOMAINS.map((domains) => measured[domains]! / (domains * CONTROLLERS));
  printTable(`inventory as the host grows (${CONTROLLERS} controllers x 8 ports; medians of ${ROUNDS})`, [
    ['domains', 'time', 'us per controller', 'peak RSS'],
    ...DOMAINS.map((domains, i) => [
      String(domains),
      ms(measured[domains]!),
      perController[i]!.toFixed(0),
      `${children.get(String(domains))!.rssMb.toFixed(0)} MB`,
    ]),
  ]);
  const growth = perController.at(-1)! / Math.max(...perController.slice(0, -1));
  const rssMb = children.get('1000')!.rssMb;
  return [
    {
      goal: `1000 domains: at most ${GROWTH_MAX} x the time per controller with fewer`,
      figure: `${growth.toFixed(2)} x`,
      met: growth <= GROWTH_MAX,
    },
    {
      goal: `1000 domains: peak RSS below ${RSS_MAX_MB} MB`,
      figure: `${rssMb.toFixed(0)} MB`,
      met: rssMb < RSS_MAX_MB,
    },
  ];
}
