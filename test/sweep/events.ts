/** What happens to a host while the program under test is at work: devices, domains, other programs. */
import type { ControllerType } from '../../src/pvusb/index.js';
import type { SimHost } from '../../src/sim/index.js';
import type { Deed } from './faults.js';
import { Rival } from './rival.js';
import { SavedFiles } from './saved-files.js';

/** What the events happen to. */
export interface Stage {
  /** The type of all controllers. */
  readonly type: ControllerType;
  /** The device that the operation under test is about. */
  readonly busid: string;
  /** Another device, which nobody uses. */
  readonly other: string;
  /** The controller that the operation is about; the rival's is controller 0 of domain 2. */
  readonly domid: number;
  readonly devid: number;
}

/** Hostile operations at a time: one often has no effect. */
const MISDEEDS = 3;

/** Makes it happen. What turns out to be impossible is not done. */
export async function commit(sim: SimHost, stage: Stage, deed: Deed): Promise<void> {
  const { type, busid, other, domid, devid } = stage;
  const rival = new Rival(sim, type);
  const device = sim.usb.device(busid)?.spec;
  switch (deed) {
    case 'unplug':
      await sim.unplug(busid);
      break;
    case 'replug-other':
      await sim.unplug(busid);
      if (device) await sim.plug({ ...otherDevice(device), busid });
      break;
    case 'rival-takes-port':
      await rival.attach({ domid, devid }, 1, other);
      break;
    case 'rival-takes-device':
      await rival.attach({ domid: 2, devid: 0 }, 2, busid);
      break;
    case 'rival-adds':
      await rival.add(domid);
      break;
    case 'rival-removes':
      await rival.remove({ domid, devid });
      break;
    case 'rival-detaches':
      await rival.detach(busid);
      break;
    case 'domain-destroyed':
      await sim.killDomain(domid);
      await SavedFiles.of(sim).destroy(domid);
      break;
    case 'domain-dies':
      await sim.killDomain(domid, { leaveRecords: true });
      break;
    case 'qemu-killed':
      await sim.qemus.get(domid)?.kill();
      break;
    case 'mischief':
      for (let i = 0; i < MISDEEDS; i++) await sim.guests.get(domid)?.mischief();
      break;
  }
}

/** A stick with another serial number where there was something else. */
function otherDevice(spec: Parameters<SimHost['plug']>[0]) {
  const { address: _, serial: __, ...rest } = spec;
  return {
    ...rest,
    vendorId: '0951',
    productId: '1666',
    serial: 'OTHER',
    interfaces: [{ number: 0, classes: '08/06/50' }],
  };
}
