/** Finds where a domain's saved configuration differs from what the domain has (I8). Pure. */
import { controllersOf, deviceAt, isAlive, isOf, isTaken, savedFor } from './find.js';
import type { ConfigDifference } from './finding.js';
import type { Controller, Inventory, SavedSettings } from './inventory.js';
import { portPath, recordPath } from './layout.js';
import type { ConfigEdit, Fact } from './plan.js';
import { savedDevice } from './saved-config.js';
import { isServed } from './served.js';

/**
 * The difference for one domain, all of it or only the edits that matter; undefined when there is none, or nothing is
 * known.
 */
export function configDifference(
  inventory: Inventory,
  saved: SavedSettings,
  matters: (edit: ConfigEdit) => boolean = () => true,
): ConfigDifference | undefined {
  const { domid, uuid } = saved;
  if (saved.problem !== undefined || !isAlive(inventory, domid)) return undefined;
  const controllers = controllersOf(inventory, domid);
  // What is unknown, or served by another domain, is left alone, also in the file.
  const ours = controllers.filter(isServed);
  const others = new Set(controllers.filter((controller) => !isServed(controller)).map(({ devid }) => devid));
  const found = [
    ...ours.flatMap((controller) => lacks(saved, controller)),
    ...ours.flatMap((controller) => differs(inventory, saved, controller)),
    ...saved.devices.filter(({ ctrl }) => !others.has(ctrl)).flatMap((device) => isLeft(controllers, device)),
    ...saved.controllers
      .filter(({ devid }) => !controllers.some((controller) => controller.devid === devid))
      .map(({ devid }): Found => {
        const facts: Fact[] = [{ fact: 'absent', path: recordPath({ domid, devid }) }];
        return { edit: { edit: 'remove-controller', devid }, facts };
      }),
  ];
  const wanted = found.filter(({ edit }) => matters(edit));
  if (wanted.length === 0) return undefined;
  return { domid, uuid, edits: wanted.map(({ edit }) => edit), facts: wanted.flatMap(({ facts }) => facts) };
}

interface Found {
  readonly edit: ConfigEdit;
  readonly facts: readonly Fact[];
}

function lacks(saved: SavedSettings, controller: Controller): Found[] {
  const { devid, type, version, portCount } = controller;
  if (type === 'unknown' || saved.controllers.some((other) => other.devid === devid)) return [];
  const edit: ConfigEdit = { edit: 'add-controller', controller: { devid, type, version, ports: portCount } };
  return [{ edit, facts: [{ fact: 'present', path: recordPath(controller) }] }];
}

/** Attached devices that the file does not have, or has under an address that they no longer have. */
function differs(inventory: Inventory, saved: SavedSettings, controller: Controller): Found[] {
  const { devid, portsAt } = controller;
  return controller.ports.flatMap(({ port, busid }): Found[] => {
    const device = busid === undefined ? undefined : deviceAt(inventory, busid);
    // Another device in that socket is not the domain's.
    if (!device || portsAt === undefined || !isOf(savedFor(inventory, device.busid), device, true)) return [];
    const wanted = savedDevice(devid, port, device);
    const entry = saved.devices.find((other) => other.ctrl === devid && other.port === port);
    if (entry?.hostbus === wanted.hostbus && entry?.hostaddr === wanted.hostaddr) return [];
    const facts: Fact[] = [{ fact: 'value', path: portPath(portsAt, port), is: device.busid }];
    return [{ edit: { edit: 'add-device', device: wanted }, facts }];
  });
}

/** Entries for ports that are empty, or that no controller has. An entry for a device that was pulled out stays. */
function isLeft(controllers: readonly Controller[], device: SavedSettings['devices'][number]): Found[] {
  const { ctrl, port } = device;
  const controller = controllers.find(({ devid }) => devid === ctrl);
  const there = controller?.ports.find((other) => other.port === port);
  if (there && isTaken(there)) return [];
  const path = controller?.portsAt === undefined || !there ? undefined : portPath(controller.portsAt, port);
  const facts: Fact[] = path === undefined ? [] : [{ fact: 'vacant', path }];
  return [{ edit: { edit: 'remove-device', ctrl, port }, facts }];
}
