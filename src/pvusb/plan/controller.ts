/** Plans for controllers: the trees that libxl writes, key by key, who takes them, and their removal. Pure. */
import type { Permission } from '../../xenstore/index.js';
import { allPorts } from '../model/find.js';
import { type Controller, type Inventory, XenbusState } from '../model/inventory.js';
import {
  backendPath,
  backendsPath,
  type ControllerId,
  controllersPath,
  DOMAINS,
  frontendPath,
  LIBXL,
  parseBackend,
  portPath,
  recordPath,
  virtualsPath,
} from '../model/layout.js';
import type { Action, ConfigEdit, Edit, Fact, Plan, Step } from '../model/plan.js';
import type { NewController, RemoveRequest } from '../model/request.js';
import { telling } from '../model/saved-config.js';
import { requireServed } from '../model/served.js';
import { countPorts, nameController, nameDomain } from '../model/wording.js';
import { portsAtOf, servedType, servedTypeOn } from '../types/types.js';
import { planDetachSteps } from './detach.js';

/** Creates the trees in one transaction, then waits until usbback or QEMU has taken the controller. */
export function planAddController(inventory: Inventory, controller: NewController): Plan {
  return {
    title: `add USB controller ${controller.devid} to ${nameDomain(inventory, controller.domid)}`,
    steps: addSteps(inventory, controller),
    onFailure: 'undo',
  };
}

/** The steps of {@link planAddController}, for a plan that continues with the new controller. */
export function addSteps(inventory: Inventory, controller: NewController): Step[] {
  const { domid, devid, type, version, ports } = controller;
  const saved = { edit: 'add-controller', controller: { devid, type, version, ports } } as const;
  const name = nameController(inventory, controller);
  return [
    {
      why: `create ${name} (USB ${controller.version}, ${countPorts(controller.ports)})`,
      act: {
        do: 'commit',
        expect: newFacts(controller),
        edits: creation(controller),
        ...telling(inventory, domid, [saved]),
      },
      undo: [removeUnused(inventory, controller)],
    },
    servedTypeOn(inventory, controller.type).serve(inventory, controller),
  ];
}

/** Another toolstack or another of our own operations may have attached a device to it meanwhile: then it stays. */
function removeUnused(inventory: Inventory, controller: NewController): Action {
  const portsAt = portsAtOf(controller);
  const ports = Array.from({ length: controller.ports }, (_, k) => portPath(portsAt, k + 1));
  const expect = ports.map((path): Fact => ({ fact: 'vacant', path }));
  if (servedTypeOn(inventory, controller.type).servesVirtual)
    expect.push({ fact: 'absent', path: virtualsPath(controller) });
  const backend = portsAt === recordPath(controller) ? undefined : portsAt;
  const saved = [{ edit: 'remove-controller', devid: controller.devid } as const];
  const config = telling(inventory, controller.domid, saved, { ifPossible: true });
  return { do: 'commit', expect, edits: removal(controller, backend), otherwise: 'skip', ...config };
}

function newFacts(controller: NewController): Fact[] {
  const { backend, offer } = servedType(controller.type);
  return [
    { fact: 'present', path: `${DOMAINS}/${controller.domid}` },
    { fact: 'absent', path: recordPath(controller) },
    ...(backend === undefined ? [] : [{ fact: 'absent', path: backendPath(controller, backend) } as const]),
    ...offer(controller),
  ];
}

/** A directory and what is in it. */
function directory(path: string, permissions: readonly Permission[], keys: Record<string, string>): Edit[] {
  return [
    { edit: 'mkdir', path, permissions },
    ...Object.entries(keys).map(([key, value]): Edit => ({ edit: 'write', path: `${path}/${key}`, value })),
  ];
}

/** Permissions: the record is only dom0's, the frontend is the guest's, the guest can read the backend. */
function creation(controller: NewController): Edit[] {
  const { domid, type, version, ports } = controller;
  const dom0: Permission = { domid: 0, access: 'none' };
  const kind = servedType(type).backend;
  const shape = {
    type,
    'usb-ver': String(version),
    'num-ports': String(ports),
    port: '',
    ...Object.fromEntries(Array.from({ length: ports }, (_, k) => [`port/${k + 1}`, ''])),
  };
  if (kind === undefined) return directory(recordPath(controller), [dom0], shape);
  const frontend = frontendPath(controller);
  const backend = backendPath(controller, kind);
  const state = String(XenbusState.initialising);
  const backendKeys = { 'frontend-id': String(domid), online: '1', state, ...shape };
  const own: readonly Permission[] = [
    { domid, access: 'none' },
    { domid: 0, access: 'read' },
  ];
  return [
    ...directory(recordPath(controller), [dom0], { frontend, backend, ...backendKeys }),
    ...directory(frontend, own, { backend, 'backend-id': '0', state }),
    ...directory(backend, [dom0, { domid, access: 'read' }], { frontend, ...backendKeys }),
  ];
}

/** Removes a controller's trees and the parents that are left empty, as libxl does. */
export function removal(controller: ControllerId, backend: string | undefined): Edit[] {
  const { domid } = controller;
  const kind = backend === undefined ? undefined : parseBackend(backend, controller)?.kind;
  const record = recordPath(controller);
  const trees = backend === undefined ? [record] : [frontendPath(controller), record, backend];
  const parents = [
    ...(backend === undefined ? [] : [`${DOMAINS}/${domid}/device/vusb`]),
    controllersPath(domid),
    `${LIBXL}/${domid}/device`,
    ...(kind === undefined ? [] : [`${backendsPath(kind)}/${domid}`, backendsPath(kind)]),
  ];
  return [
    ...trees.map((path): Edit => ({ edit: 'rm', path })),
    ...parents.map((path): Edit => ({ edit: 'prune', path })),
  ];
}

/**
 * Detaches every device, closes the backend or has QEMU remove the controller, waits for the guest (not with `destroy`,
 * and not if nobody is left to answer), and removes the trees.
 *
 * @throws {PvusbError} `unsupported-type`, `unsupported-backend`
 */
export function planRemoveController(
  inventory: Inventory,
  controller: Controller,
  request: RemoveRequest,
): Plan {
  const { domid, backend } = controller;
  const served = requireServed(inventory, controller);
  const name = nameController(inventory, controller);
  const ports = allPorts(controller);
  const vacant = ports.map(({ port }): Fact => ({ fact: 'vacant', path: portPath(served.portsAt, port) }));
  return {
    title: `${request.destroy ? 'destroy' : 'remove'} USB ${name}`,
    steps: [
      ...ports.flatMap((port) => planDetachSteps(inventory, { controller, port })),
      ...servedTypeOn(inventory, served.type).close(inventory, served, request),
      {
        why: `remove ${name}`,
        act: {
          do: 'commit',
          expect: vacant,
          edits: removal(controller, backend),
          ...telling(inventory, domid, forgotten(controller), { ifPossible: true }),
        },
      },
    ],
    onFailure: 'stop',
  };
}

/** The controller, and whatever the saved configuration says about its ports. */
function forgotten({ devid, ports }: Controller): ConfigEdit[] {
  return [
    ...ports.map(({ port }): ConfigEdit => ({ edit: 'remove-device', ctrl: devid, port })),
    { edit: 'remove-controller', devid },
  ];
}
