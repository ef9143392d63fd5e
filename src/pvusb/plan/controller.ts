/** Plans for controllers: the trees that libxl writes, key for key, who takes them, and their removal. Pure. */
import type { Permission } from '../../xenstore/index.js';
import { allPorts, domainAt, isAlive, qemuOf } from '../model/find.js';
import { type Controller, type Inventory, XenbusState } from '../model/inventory.js';
import {
  backendKind,
  backendPath,
  backendsPath,
  type ControllerId,
  controllersPath,
  DOMAINS,
  frontendPath,
  LIBXL,
  parseBackend,
  portPath,
  qusbOfferPath,
  recordPath,
} from '../model/layout.js';
import type { Action, ConfigEdit, Edit, Fact, Plan, Step } from '../model/plan.js';
import { telling } from '../model/saved-config.js';
import { requireServed, type Served } from '../model/served.js';
import { planDetachSteps } from './detach.js';
import type { NewController } from './resolve.js';

/** How long a backend may take to answer (libxl: LIBXL_INIT_TIMEOUT, LIBXL_DESTROY_TIMEOUT). */
export const BACKEND_WITHIN_MS = 10_000;

/** How long QEMU may take to pass a request on to a guest that is not waited for. */
const ASKED_WITHIN_MS = 500;

/** Makes the trees in one transaction, then waits until usbback or QEMU has taken the controller. */
export function planAddController(inventory: Inventory, controller: NewController): Plan {
  return {
    title: `add USB controller ${controller.devid} to domain ${controller.domid}`,
    steps: addSteps(inventory, controller),
    onFailure: 'undo',
  };
}

/** The steps of {@link planAddController}, for a plan that goes on with the new controller. */
export function addSteps(inventory: Inventory, controller: NewController): Step[] {
  const { domid, devid, type, version, ports } = controller;
  const saved = { edit: 'add-controller', controller: { devid, type, version, ports } } as const;
  const name = `controller ${devid} of domain ${domid}`;
  return [
    {
      why: `create ${name} (USB ${controller.version}, ${controller.ports} ports)`,
      act: {
        do: 'commit',
        expect: newFacts(controller),
        edits: creation(controller),
        ...telling(inventory, domid, [saved]),
      },
      undo: [removeUnused(inventory, controller)],
    },
    controller.type === 'devicemodel' ? emulateStep(controller, true) : servedStep(controller),
  ];
}

/** What keeps a controller's ports: its backend, or for type devicemodel its record. */
export function portsOf(controller: NewController): string {
  const kind = backendKind(controller.type);
  return kind === undefined ? recordPath(controller) : backendPath(controller, kind);
}

/** Has QEMU emulate a controller; one that it emulates already (`isNew` false) is as good. */
export function emulateStep(
  controller: Pick<NewController, 'domid' | 'devid' | 'version' | 'ports'>,
  isNew: boolean,
): Step {
  const { domid, devid, version, ports } = controller;
  return {
    why: `have QEMU emulate controller ${devid} of domain ${domid}`,
    act: { do: 'emulate', domid, devid, version, ports, isNew },
    // A guest that has just got it may not have a driver for it yet; QEMU takes it away when it can.
    ...(isNew
      ? { undo: [{ do: 'unemulate', domid, devid, withinMs: BACKEND_WITHIN_MS, mayStay: false }] }
      : {}),
  };
}

/** Waits until usbback or QEMU has taken a controller. */
export function servedStep(controller: ControllerId & { readonly type: Controller['type'] }): Step {
  const kind = controller.type === 'qusb' ? 'qusb' : 'vusb';
  return {
    why: `let ${kind === 'qusb' ? 'QEMU' : 'usbback'} take controller ${controller.devid} of domain ${controller.domid}`,
    act: {
      do: 'await',
      path: `${backendPath(controller, kind)}/state`,
      states: [XenbusState.initWait, XenbusState.initialised, XenbusState.connected],
      orGone: false,
      withinMs: BACKEND_WITHIN_MS,
    },
  };
}

/** Another toolstack or another of our own operations may have attached a device to it by now: then it stays. */
function removeUnused(inventory: Inventory, controller: NewController): Action {
  const portsAt = portsOf(controller);
  const ports = Array.from({ length: controller.ports }, (_, k) => portPath(portsAt, k + 1));
  const expect = ports.map((path): Fact => ({ fact: 'vacant', path }));
  const backend = portsAt === recordPath(controller) ? undefined : portsAt;
  const saved = [{ edit: 'remove-controller', devid: controller.devid } as const];
  const config = telling(inventory, controller.domid, saved, { ifPossible: true });
  return { do: 'commit', expect, edits: removal(controller, backend), otherwise: 'skip', ...config };
}

function newFacts(controller: NewController): Fact[] {
  const kind = backendKind(controller.type);
  return [
    { fact: 'present', path: `${DOMAINS}/${controller.domid}` },
    { fact: 'absent', path: recordPath(controller) },
    ...(kind === undefined ? [] : [{ fact: 'absent', path: backendPath(controller, kind) } as const]),
    ...(kind === 'qusb' ? [{ fact: 'present', path: qusbOfferPath(controller.domid) } as const] : []),
  ];
}

/** A directory and what is in it. */
function directory(path: string, permissions: readonly Permission[], keys: Record<string, string>): Edit[] {
  return [
    { edit: 'mkdir', path, permissions },
    ...Object.entries(keys).map(([key, value]): Edit => ({ edit: 'write', path: `${path}/${key}`, value })),
  ];
}

/** Permissions: the record dom0's alone, the frontend the guest's, the backend readable by the guest. */
function creation(controller: NewController): Edit[] {
  const { domid, type, version, ports } = controller;
  const dom0: Permission = { domid: 0, access: 'none' };
  const kind = backendKind(type);
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

/** How a controller goes. */
interface RemoveRequest {
  /** Does not wait for the guest to let go. */
  readonly destroy: boolean;
}

/**
 * Detaches every device, closes the backend or has QEMU take the controller away, waits for the guest (not with
 * `destroy`, and not where nobody is left to answer), and removes the trees.
 *
 * @throws {PvusbError} `unsupported-type`, `unsupported-backend`
 */
export function planRemoveController(
  inventory: Inventory,
  controller: Controller,
  request: RemoveRequest,
): Plan {
  const { domid, devid, backend } = controller;
  const served = requireServed(controller);
  const name = `controller ${devid} of domain ${domid}`;
  const ports = allPorts(controller);
  const vacant = ports.map(({ port }): Fact => ({ fact: 'vacant', path: portPath(served.portsAt, port) }));
  return {
    title: `${request.destroy ? 'destroy' : 'remove'} USB ${name}`,
    steps: [
      ...ports.flatMap((port) => planDetachSteps(inventory, { controller, port })),
      ...(served.type === 'devicemodel'
        ? unemulateSteps(inventory, served, request)
        : closingSteps(inventory, served, request)),
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

/** The controller, and whatever the saved configuration says of its ports. */
function forgotten({ devid, ports }: Controller): ConfigEdit[] {
  return [
    ...ports.map(({ port }): ConfigEdit => ({ edit: 'remove-device', ctrl: devid, port })),
    { edit: 'remove-controller', devid },
  ];
}

function unemulateSteps(inventory: Inventory, { domid, devid }: Served, { destroy }: RemoveRequest): Step[] {
  if (!isAlive(inventory, domid) || qemuOf(inventory, domid)?.health === 'dead') return [];
  const withinMs = destroy ? ASKED_WITHIN_MS : BACKEND_WITHIN_MS;
  const why = `have QEMU and the guest let go of controller ${devid} of domain ${domid}`;
  return [{ why, act: { do: 'unemulate', domid, devid, withinMs, mayStay: destroy } }];
}

function closingSteps(inventory: Inventory, controller: Served, { destroy }: RemoveRequest): Step[] {
  const { domid, devid, portsAt, backendState } = controller;
  if (backendState === undefined) return [];
  const name = `controller ${devid} of domain ${domid}`;
  const empty = allPorts(controller).map(
    ({ port }): Fact => ({ fact: 'value', path: portPath(portsAt, port), is: '' }),
  );
  const edits: Edit[] = [
    ...(backendState === XenbusState.closed
      ? []
      : [{ edit: 'write', path: `${portsAt}/state`, value: String(XenbusState.closing) } as const]),
    { edit: 'write', path: `${portsAt}/online`, value: '0' },
  ];
  const closing: Step = { why: `close ${name}`, act: { do: 'commit', expect: empty, edits } };
  if (destroy || !isAnswered(inventory, controller)) return [closing];
  const waiting: Step = {
    why: `let ${controller.type === 'qusb' ? 'QEMU' : 'usbback'} and the guest let go of ${name}`,
    act: {
      do: 'await',
      path: `${portsAt}/state`,
      states: [XenbusState.closed],
      orGone: true,
      withinMs: BACKEND_WITHIN_MS,
    },
  };
  return [closing, waiting];
}

/** Whether anybody is left to close a backend. */
function isAnswered(inventory: Inventory, controller: Served): boolean {
  const { domid, type, untrustedFrontend } = controller;
  if (!isAlive(inventory, domid)) return false;
  if (type === 'pv') return inventory.usbback;
  const model = domainAt(inventory, domid)?.deviceModel;
  if (!model?.running || qemuOf(inventory, domid)?.health === 'dead') return false;
  // QEMU closes when the guest does: one that never opened never will.
  const { state } = untrustedFrontend;
  return state !== undefined && state >= XenbusState.initialised && state <= XenbusState.closing;
}
