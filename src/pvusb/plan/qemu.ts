/** Plans that give a guest a QEMU, and take it away. Pure. */
import { PvusbError } from '../model/errors.js';
import { controllersOf, qemuOf } from '../model/find.js';
import type { Domain, Inventory } from '../model/inventory.js';
import {
  DEVICE_MODELS,
  DOMAINS,
  deviceModelPath,
  deviceModelPidPath,
  ownNodesPath,
  ownQemuPath,
} from '../model/layout.js';
import type { Plan } from '../model/plan.js';
import { nameDomain } from '../model/wording.js';
import { isOfQemu } from '../types/types.js';

/** How long a QEMU may take to start (libxl: LIBXL_DEVICE_MODEL_START_TIMEOUT). */
const START_WITHIN_MS = 60_000;

/**
 * Starts a QEMU for a guest that has none; nothing if it has one.
 *
 * @param memoryMib the guest's memory
 * @param own what says that we have started one: empty while it does not run yet
 * @throws {PvusbError} `invalid-argument` (domain 0), `no-such-domain` (it is dead), `unsupported-type` (an HVM guest),
 *   `qemu-dead`: it has had one; `qemu-not-started`: somebody else is starting one, or was interrupted
 */
export function planStartQemu(
  inventory: Inventory,
  domain: Domain,
  memoryMib: number,
  own?: string | undefined,
): Plan {
  const { domid, name = `domain-${domid}`, type, alive, deviceModel } = domain;
  const where = { domid };
  const title = `start a QEMU for ${nameDomain(inventory, domid)}`;
  if (domid === 0) throw new PvusbError('invalid-argument', 'Domain 0 needs no QEMU.', { where });
  if (!alive)
    throw new PvusbError('no-such-domain', `${nameDomain(inventory, domid, 'Domain')} is dead.`, { where });
  if (type === 'hvm') {
    const sentence = `${nameDomain(inventory, domid, 'Domain')} is an HVM guest: only xl can start its QEMU.`;
    throw new PvusbError('unsupported-type', sentence, { where });
  }
  if (qemuOf(inventory, domid)?.health === 'dead') {
    const sentence = `The QEMU of ${nameDomain(inventory, domid)} has died.`;
    throw new PvusbError('qemu-dead', sentence, { where });
  }
  if (deviceModel?.running) return { title, steps: [], onFailure: 'undo' };
  if (own === '') {
    const sentence = `A QEMU for ${nameDomain(inventory, domid)} is already being started, or an earlier start was interrupted.`;
    const remedy = `Wait for it to finish; if nobody is starting one, run "pvusb qemu stop ${domid}" and try again.`;
    throw new PvusbError('qemu-not-started', sentence, { where, remedy });
  }
  const announced = deviceModelPath(domid);
  return {
    title,
    steps: [
      {
        why: `prepare ${nameDomain(inventory, domid)} for a QEMU`,
        act: {
          do: 'commit',
          expect: [
            { fact: 'present', path: `${DOMAINS}/${domid}` },
            { fact: 'absent', path: deviceModelPidPath(domid) },
            { fact: 'absent', path: ownQemuPath(domid) },
            { fact: 'absent', path: `${announced}/state` },
          ],
          edits: [
            { edit: 'mkdir', path: announced, permissions: [{ domid: 0, access: 'none' }] },
            // Until it runs: of two that start one at the same time, the second gets a conflict here.
            { edit: 'write', path: ownQemuPath(domid), value: '' },
          ],
        },
        undo: [
          {
            do: 'commit',
            expect: [
              { fact: 'absent', path: deviceModelPidPath(domid) },
              // Otherwise what is there is somebody else's.
              { fact: 'value', path: ownQemuPath(domid), is: '' },
            ],
            edits: [
              { edit: 'rm', path: ownQemuPath(domid) },
              { edit: 'prune', path: ownNodesPath(domid) },
              { edit: 'rm', path: announced },
              { edit: 'prune', path: DEVICE_MODELS },
            ],
            otherwise: 'skip',
          },
        ],
      },
      {
        why: title,
        act: { do: 'start-qemu', domid, name, memoryMib, withinMs: START_WITHIN_MS },
        undo: [{ do: 'end-qemu', domid }],
      },
    ],
    onFailure: 'undo',
  };
}

/**
 * Ends the QEMU that {@link planStartQemu} has started; nothing if there is none.
 *
 * @param own what says that we have started it
 * @throws {PvusbError} `qemu-in-use`: it serves controllers, or xl has started it
 */
export function planStopQemu(
  inventory: Inventory,
  { domid, deviceModel }: Domain,
  own: string | undefined,
): Plan {
  const title = `end the QEMU of ${nameDomain(inventory, domid)}`;
  const where = { domid };
  if (own === undefined && deviceModel) {
    const sentence = `The QEMU of ${nameDomain(inventory, domid)} was not started by pvusb.`;
    throw new PvusbError('qemu-in-use', sentence, { where });
  }
  const [served] = controllersOf(inventory, domid).filter(isOfQemu);
  if (served) {
    const sentence = `The QEMU of ${nameDomain(inventory, domid)} serves its USB controller ${served.devid}.`;
    throw new PvusbError('qemu-in-use', sentence, { where: { domid, devid: served.devid } });
  }
  if (own === undefined) return { title, steps: [], onFailure: 'stop' };
  return { title, steps: [{ why: title, act: { do: 'end-qemu', domid } }], onFailure: 'stop' };
}
