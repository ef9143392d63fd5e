/** The whole inventory, compared with the requests that libxl's usb-list makes for every domain. */
import { listInventory, observe } from '../src/pvusb/index.js';
import type { Daemon } from '../test/xenstored/daemon.js';
import { interleave, timed } from './measure.js';
import { startC, startPyxs } from './peers.js';
import { type Goal, ms, printTable, times } from './report.js';
import { connect, hostOn, type Size } from './stores.js';

const ROUNDS = 21;

/** Measures on a store of `size`. */
export async function measureInventory(daemon: Daemon, size: Size, program: string): Promise<Goal[]> {
  await using store = await connect(daemon.socket);
  await using c = await startC(program, daemon.socket);
  await using pyxs = await startPyxs(daemon.socket);
  const host = hostOn(store);
  const measured = await interleave(ROUNDS, {
    "libxenstore, libxl's sequence": async () => (await c.ask('libxl')).us,
    'libxenstore, nothing asked twice': async () => (await c.ask('lean')).us,
    "pyxs, libxl's sequence": async () => (await pyxs.ask('libxl')).us,
    'pvusb, observe': () => timed(() => observe(host)),
    'pvusb, listInventory': () => timed(() => listInventory(host)),
  });
  const requests = (await c.ask('libxl')).rest[0];
  const base = measured["libxenstore, libxl's sequence"];
  const what = `${size.domains} domains x ${size.controllers} controllers x ${size.ports} ports`;
  printTable(`inventory of ${what} (libxl makes ${requests} requests; medians of ${ROUNDS} rounds)`, [
    ['client', 'time', 'speed, x libxl'],
    ...Object.entries(measured).map(([name, us]) => [name, ms(us), times(base / us)]),
  ]);
  return (['pvusb, observe', 'pvusb, listInventory'] as const).map((name) => {
    const ratio = base / measured[name];
    return { goal: `${name}: at least 3 x as fast as libxl`, figure: times(ratio), met: ratio >= 3 };
  });
}
