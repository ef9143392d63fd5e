/** Reads of one node, one by one and pipelined, compared with libxenstore and pyxs. */
import type { XenstoreClient } from '../src/xenstore/index.js';
import type { Daemon } from '../test/xenstored/daemon.js';
import { interleave, timed } from './measure.js';
import { type Peer, startC, startPyxs } from './peers.js';
import { type Goal, printTable, times } from './report.js';
import { connect } from './stores.js';

const COUNT = 2000;
const ROUNDS = 21;
const NODE = '/local/domain/1/name';

/** Measures on a store that has a domain 1. */
export async function measureReads(daemon: Daemon, program: string): Promise<Goal[]> {
  await using ours = await connect(daemon.socket);
  await using c = await startC(program, daemon.socket);
  await using pyxs = await startPyxs(daemon.socket);
  const paths = new Array<string>(COUNT).fill(NODE);
  const ask = async (peer: Peer): Promise<number> => (await peer.ask(`reads ${COUNT} ${NODE}`)).us;
  const measured = await interleave(ROUNDS, {
    'libxenstore, one by one': () => ask(c),
    'pyxs, one by one': () => ask(pyxs),
    'pvusb, one by one': () => timed(() => oneByOne(ours)),
    'pvusb, a promise per read': () => timed(() => Promise.all(paths.map((path) => ours.read(path)))),
    'pvusb, readMany': () => timed(() => ours.readMany(paths)),
  });
  const base = measured['libxenstore, one by one'];
  printTable(`reads of one node (${COUNT} per round, medians of ${ROUNDS} rounds)`, [
    ['client', 'us per read', "x libxenstore's rate", "x pyxs's rate"],
    ...Object.entries(measured).map(([name, us]) => [
      name,
      (us / COUNT).toFixed(1),
      times(base / us),
      times(measured['pyxs, one by one'] / us),
    ]),
  ]);
  return (['pvusb, readMany', 'pvusb, a promise per read'] as const).flatMap((name) => {
    const toPyxs = measured['pyxs, one by one'] / measured[name];
    const toC = base / measured[name];
    return [
      { goal: `${name}: at least 3 x pyxs's rate`, figure: times(toPyxs), met: toPyxs >= 3 },
      { goal: `${name}: at least 1.3 x libxenstore's rate`, figure: times(toC), met: toC >= 1.3 },
    ];
  });
}

async function oneByOne(store: XenstoreClient): Promise<void> {
  for (let i = 0; i < COUNT; i++) await store.read(NODE);
}
