/** A plan for each thing that {@link diagnose} finds. A repair gives back and cleans up; it never takes a device from the host. Pure. */

import { interfaceNumber } from '../../sysfs/busid.js';
import { addressOf, deviceAt } from '../model/find.js';
import type { Finding } from '../model/finding.js';
import type { Inventory } from '../model/inventory.js';
import { portPath, recordPath } from '../model/layout.js';
import type { Fact, Plan, Step } from '../model/plan.js';
import { nameController, nameDomain, namePlace, namePort } from '../model/wording.js';
import { BACKEND_WITHIN_MS } from '../types/backend.js';
import { planRemoveController, removal } from './controller.js';
import { forgetAction, giveBackSteps, planDetachSteps } from './detach.js';
import { planHandAnewSteps } from './replug.js';

/** A plan that repairs one finding. */
export function planRepair(inventory: Inventory, finding: Finding): Plan {
  return {
    title: repairTitle(inventory, finding),
    steps: repairSteps(inventory, finding),
    onFailure: 'stop',
  };
}

function repairTitle(inventory: Inventory, finding: Finding): string {
  switch (finding.finding) {
    case 'missing-device':
    case 'bad-port':
    case 'claimed-twice':
    case 'virtual-not-opened':
      return `free ${namePlace(inventory, finding.place)}`;
    case 'port-without-binding':
    case 'other-device':
    case 'binding-without-port':
      return `give ${finding.busid} back to the host`;
    case 'other-driver':
      return `put ${finding.busid} back on the drivers that it had`;
    case 'stale-saved-driver':
      return `restore and forget the drivers saved for ${finding.busid}`;
    case 'orphan-backend':
      return `remove ${finding.orphan.backend}`;
    case 'no-usbback':
      return 'start the pvusb backend, or load usbback (modprobe usbback)';
    case 'config-unreadable':
      return `look at the saved configuration of ${nameDomain(inventory, finding.domid)}`;
    case 'config-differs':
      return `correct the saved configuration of ${nameDomain(inventory, finding.difference.domid)}`;
    case 'unnoticed-device':
      return finding.isReplugged
        ? `hand ${finding.busid} to ${nameDomain(inventory, finding.place.controller.domid)} again`
        : `check whether ${nameDomain(inventory, finding.place.controller.domid)} is paused`;
    case 'dead-qemu':
      return `give the devices of ${nameDomain(inventory, finding.domid)} back to the host`;
    case 'unrecorded-device':
      return `take the device in ${namePort(inventory, finding)} out of QEMU`;
    case 'unrecorded-controller':
      return `take ${nameController(inventory, finding)} out of QEMU`;
    case 'quiesced':
      return `restore what ${finding.guest.name ?? `domain ${finding.guest.domid}`} had, when it may have it again`;
    case 'no-frontend':
      return `look for the driver xen-hcd in ${nameDomain(inventory, finding.controller.domid)}`;
    case 'dead-domain':
    case 'half-removed':
    case 'unserved-controller':
    case 'not-emulated':
      return `remove ${nameController(inventory, finding.controller)}`;
  }
}

function repairSteps(inventory: Inventory, finding: Finding): Step[] {
  switch (finding.finding) {
    case 'missing-device':
    case 'bad-port':
    case 'claimed-twice':
    case 'port-without-binding':
    case 'virtual-not-opened':
    case 'other-device':
      return planDetachSteps(inventory, finding.place);
    case 'binding-without-port':
    case 'stale-saved-driver':
      return giveBackSteps(inventory, finding.busid);
    case 'orphan-backend': {
      const { orphan } = finding;
      const why = `remove ${orphan.backend}`;
      const expect: Fact[] = [{ fact: 'absent', path: recordPath(orphan) }];
      return [{ why, act: { do: 'commit', expect, edits: removal(orphan, orphan.backend) } }];
    }
    case 'no-usbback':
    case 'no-frontend':
    case 'quiesced':
      return [];
    case 'config-unreadable':
      return [];
    case 'config-differs': {
      const { domid, uuid, edits, facts } = finding.difference;
      const config = { domid, uuid, edits };
      return [
        { why: repairTitle(inventory, finding), act: { do: 'commit', expect: facts, edits: [], config } },
      ];
    }
    case 'other-driver':
      return moveSteps(inventory, finding);
    case 'unnoticed-device':
      // A paused guest has not had a chance yet.
      if (!finding.isReplugged) return [];
      return planHandAnewSteps(inventory, finding.place, finding.busid);
    case 'dead-qemu':
      return finding.places.flatMap((place) => planDetachSteps(inventory, place));
    case 'unrecorded-device': {
      const { domid, devid, port } = finding;
      const path = portPath(recordPath({ domid, devid }), port);
      const expect: Fact[] = [{ fact: 'vacant', path }];
      return [
        { why: `check that ${path} is free`, act: { do: 'commit', expect, edits: [] } },
        { why: repairTitle(inventory, finding), act: { do: 'unlend', domid, devid, port } },
      ];
    }
    case 'unrecorded-controller': {
      const { domid, devid } = finding;
      const path = recordPath({ domid, devid });
      const expect: Fact[] = [{ fact: 'absent', path }];
      const act = { do: 'unemulate', domid, devid, withinMs: BACKEND_WITHIN_MS, mayStay: false } as const;
      return [
        { why: `check that there is no ${path}`, act: { do: 'commit', expect, edits: [] } },
        { why: repairTitle(inventory, finding), act },
      ];
    }
    case 'dead-domain':
    case 'half-removed':
    case 'unserved-controller':
    case 'not-emulated':
      return [...planRemoveController(inventory, finding.controller, { destroy: true }).steps];
  }
}

/** Lowest interface first: a driver of several interfaces takes the others as well. */
function moveSteps(
  inventory: Inventory,
  { busid, interfaces }: Extract<Finding, { finding: 'other-driver' }>,
): Step[] {
  const moves = interfaces.toSorted((a, b) => interfaceNumber(a.interface) - interfaceNumber(b.interface));
  const device = deviceAt(inventory, busid);
  const at = device && addressOf(device);
  return [
    ...moves.map(
      ({ interface: intf, driver }): Step => ({
        why: `take ${intf} from ${driver}`,
        act: { do: 'unbind', interface: intf, driver },
      }),
    ),
    ...moves.map(
      ({ interface: intf, was }): Step => ({
        why: `give ${intf} back to ${was}`,
        act: { do: 'restore', interface: intf, driver: was, ...(at === undefined ? {} : { at }) },
        goOn: true,
      }),
    ),
    {
      why: `forget ${busid}`,
      act: forgetAction(busid, new Map(moves.map(({ interface: intf, was }) => [intf, was])), at),
    },
  ];
}
