/** The monitors of a simulated host's QEMUs, as the product opens them. */
import type { Clock } from '../../src/async/index.js';
import type { Host } from '../../src/pvusb/index.js';
import { QmpClient, QmpError } from '../../src/qmp/index.js';
import type { SimHost } from '../../src/sim/index.js';

/** Opens the QEMUs of `sim`; a dead one refuses connections, like a socket that nothing listens on. */
export function qemusOf(sim: SimHost, clock: Clock): NonNullable<Host['qemu']> {
  return async (domid, call) => {
    const qemu = sim.qemus.get(domid);
    if (!qemu?.alive) {
      const cause = Object.assign(new Error('connect'), { code: qemu ? 'ECONNREFUSED' : 'ENOENT' });
      throw new QmpError('unreachable', 'connect', `cannot connect to QEMU ${domid} (${cause.code})`, {
        cause,
      });
    }
    return QmpClient.open(qemu.connectQmp(), { ...call, clock });
  };
}
