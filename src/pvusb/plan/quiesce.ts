/** Taking everything off a guest for a while, and giving it back. Pure. */
import type { QuiescedController, QuiescedDevice } from '../../quiesced/index.js';
import { socketsOf } from '../../rules/index.js';
import { formatIdentity, hasIdentity, hasSerial } from '../../sysfs/identity.js';
import type { Busid, UsbDevice } from '../../sysfs/index.js';
import {
  allPorts,
  controllersOf,
  deviceAt,
  findControllerOf,
  isOf,
  isTaken,
  savedFor,
} from '../model/find.js';
import type { Domain, Inventory } from '../model/inventory.js';
import type { Plan } from '../model/plan.js';
import { isServed } from '../model/served.js';
import { nextAdjustment, type PlannedAdjustment } from './apply.js';
import { planRemoveController } from './controller.js';
import { planDetachSteps } from './detach.js';
import { nextOf } from './reconcile.js';

/** What a guest has that can be given back to it. */
export interface Had {
  readonly controllers: readonly QuiescedController[];
  readonly devices: readonly QuiescedDevice[];
}

/** What a guest has. A device that cannot be recognised again is not among it: it was pulled out, and nobody knows it. */
export function hadBy(inventory: Inventory, { domid }: Domain): Had {
  const sockets = socketsOf(inventory.devices);
  const served = controllersOf(inventory, domid).filter(isServed);
  return {
    controllers: served.map(({ devid, type, version, portCount }) => ({
      devid,
      type,
      version,
      ports: portCount,
    })),
    devices: served.flatMap(({ devid, ports }) =>
      ports.flatMap(({ port, busid }): QuiescedDevice[] => {
        if (busid === undefined) return [];
        const [device, saved] = [deviceAt(inventory, busid), savedFor(inventory, busid)];
        const isThere = device !== undefined && isOf(saved, device, true);
        const identity = isThere ? formatIdentity(device) : saved?.identity;
        return identity === undefined ? [] : [{ busid, identity, socket: sockets.get(busid), devid, port }];
      }),
    ),
  };
}

/**
 * Empties the ports of a domain, and with `controllers` removes its controllers too, waiting for the guest to let go. What
 * it has got since `kept` was written down stays.
 */
export function planQuiesce(
  inventory: Inventory,
  domain: Domain,
  { kept, controllers = false }: { readonly kept: Had; readonly controllers?: boolean | undefined },
): Plan {
  const { domid } = domain;
  const isKept = (busid: Busid): boolean => kept.devices.some((one) => one.busid === busid);
  const fresh = new Set(
    hadBy(inventory, domain).devices.flatMap(({ busid }) => (isKept(busid) ? [] : busid)),
  );
  const steps = controllersOf(inventory, domid)
    .filter(isServed)
    .flatMap((controller) => {
      const all = allPorts(controller);
      const ports = all.filter(({ busid }) => busid === undefined || !fresh.has(busid));
      const isKnown = kept.controllers.some(({ devid }) => devid === controller.devid);
      return controllers && isKnown && ports.length === all.length
        ? planRemoveController(inventory, controller, { destroy: false }).steps
        : ports.flatMap((port) => planDetachSteps(inventory, { controller, port }));
    });
  return { title: `quiesce domain ${domid}`, steps, onFailure: 'stop' };
}

/** The plan where a guest has already been given back what it had. */
export function planNothing(domid: number): Plan {
  return { title: `restore domain ${domid}`, steps: [], onFailure: 'stop' };
}

/** Finds a device again: where it was, in its socket under another name, or, if its serial number tells, anywhere. */
export function findQuiesced(inventory: Inventory, device: QuiescedDevice): UsbDevice | undefined {
  const { busid, identity, socket } = device;
  const there = deviceAt(inventory, busid);
  if (there && hasIdentity(there, identity)) return there;
  const alike = inventory.devices.filter((one) => hasIdentity(one, identity));
  const sockets = socketsOf(inventory.devices);
  const same = alike.find((one) => socket !== undefined && sockets.get(one.busid) === socket);
  return same ?? (alike.length === 1 && hasSerial(identity) ? alike[0] : undefined);
}

/** The change that gives a guest a controller again; undefined if it has one of that number. */
export function nextController(
  inventory: Inventory,
  domain: Domain,
  controller: QuiescedController,
): PlannedAdjustment | undefined {
  if (findControllerOf(inventory, { domid: domain.domid, devid: controller.devid })) return undefined;
  return nextAdjustment(inventory, domain, { controllers: [controller], devices: [] }, { addsOnly: true });
}

/** The next change that gives a guest a device again: to its port if that is there and free, otherwise to another one. */
export function nextDevice(
  inventory: Inventory,
  { domid }: Domain,
  { busid }: UsbDevice,
  { identity, devid, port }: QuiescedDevice,
): PlannedAdjustment | undefined {
  const controller = findControllerOf(inventory, { domid, devid });
  const isFree = controller?.ports.some((own) => own.port === port && !isTaken(own));
  return nextOf(inventory, { domid, device: { busid, identity, ...(isFree ? { devid, port } : {}) } });
}
