/** The plan for a device that was replugged while it was lent through qusb, which the guest has not noticed. Pure. */

import { formatIdentityAt } from '../../sysfs/identity.js';
import type { Busid } from '../../sysfs/index.js';
import { deviceAt, type Place } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import { portPath, savedIdentityPath, savedOriginPath } from '../model/layout.js';
import type { Edit, Fact, Step } from '../model/plan.js';
import { savedDevice, telling } from '../model/saved-config.js';
import { namePort } from '../model/wording.js';
import { openStep, releaseStep } from '../types/qusb.js';
import { unclaimedFact } from './facts.js';
import { sameNumber } from './target.js';

/**
 * Out of the port and back into it, since QEMU tells a guest about a device only when it gets one. Whatever is saved
 * for the device stays, so that an interruption in between is found and repaired like any detach.
 */
export function planHandAnewSteps(inventory: Inventory, { controller, port }: Place, busid: Busid): Step[] {
  const { domid, devid, portsAt } = controller;
  if (portsAt === undefined) return [];
  const path = portPath(portsAt, port.port);
  const at = { domid, devid, port: port.port };
  const holds: Fact = { fact: 'value', path, is: busid };
  const device = deviceAt(inventory, busid);
  const saved = device
    ? [{ edit: 'add-device', device: savedDevice(devid, port.port, device) } as const]
    : [];
  // Interrupted in between, it is an unfinished detach, and is continued as one.
  const origin: Edit = { edit: 'write', path: savedOriginPath(busid), value: path };
  const isFree: Fact[] = [
    { fact: 'value', path, is: '' },
    ...sameNumber(inventory, controller, port.port).map((same): Fact => ({ fact: 'vacant', path: same })),
    unclaimedFact(inventory, busid),
  ];
  return [
    {
      why: `take ${busid} out of ${namePort(inventory, at)}`,
      act: { do: 'commit', expect: [holds], edits: [{ edit: 'write', path, value: '' }, origin] },
    },
    releaseStep(inventory, at, busid),
    {
      why: `put ${busid} back into ${namePort(inventory, at)}`,
      act: {
        do: 'commit',
        expect: isFree,
        edits: [
          { edit: 'write', path, value: busid },
          { edit: 'rm', path: savedOriginPath(busid) },
          ...(device
            ? [{ edit: 'write', path: savedIdentityPath(busid), value: formatIdentityAt(device) } as const]
            : []),
        ],
        ...telling(inventory, domid, saved),
      },
    },
    openStep(inventory, at, busid),
  ];
}
