/** Plans for controllers of type pv: the trees that libxl writes, key for key, and their removal. Pure. */
import type { Permission } from '../xenstore/index.js';
import {
  backendPath,
  backendsPath,
  type ControllerId,
  controllersPath,
  DOMAINS,
  frontendPath,
  LIBXL,
  portPath,
  recordPath,
} from './layout.js';
import { type Controller, type Inventory, XenbusState } from './model.js';
import type { Action, Edit, Fact, Plan, Step } from './plan.js';
import { planDetachSteps } from './plan-detach.js';
import { type NewController, requirePv } from './resolve.js';

/** How long a backend may take to answer (libxl: LIBXL_INIT_TIMEOUT, LIBXL_DESTROY_TIMEOUT). */
export const BACKEND_WITHIN_MS = 10_000;

/** Makes the three trees in one transaction, then waits for usbback. */
export function planAddController(controller: NewController): Plan {
  return {
    title: `add USB controller ${controller.devid} to domain ${controller.domid}`,
    steps: addSteps(controller),
    onFailure: 'undo',
  };
}

/** The steps of {@link planAddController}, for a plan that goes on with the new controller. */
export function addSteps(controller: NewController): Step[] {
  const { domid, devid } = controller;
  const backend = backendPath(controller, 'vusb');
  const name = `controller ${devid} of domain ${domid}`;
  return [
    {
      why: `create ${name} (USB ${controller.version}, ${controller.ports} ports)`,
      act: { do: 'commit', expect: newFacts(controller), edits: creation(controller) },
      undo: [removeUnused(controller, backend)],
    },
    servedStep(controller),
  ];
}

/** Waits until usbback has taken a controller. */
export function servedStep(controller: ControllerId): Step {
  return {
    why: `let usbback take controller ${controller.devid} of domain ${controller.domid}`,
    act: {
      do: 'await',
      path: `${backendPath(controller, 'vusb')}/state`,
      states: [XenbusState.initWait, XenbusState.initialised, XenbusState.connected],
      orGone: false,
      withinMs: BACKEND_WITHIN_MS,
    },
  };
}

/** Another toolstack or another of our own operations may have attached a device to it by now: then it stays. */
function removeUnused(controller: NewController, backend: string): Action {
  const ports = Array.from({ length: controller.ports }, (_, k) => portPath(backend, k + 1));
  const expect = ports.map((path): Fact => ({ fact: 'vacant', path }));
  return { do: 'commit', expect, edits: removal(controller, backend), otherwise: 'skip' };
}

function newFacts(controller: ControllerId): Fact[] {
  return [
    { fact: 'present', path: `${DOMAINS}/${controller.domid}` },
    { fact: 'absent', path: recordPath(controller) },
    { fact: 'absent', path: backendPath(controller, 'vusb') },
  ];
}

/** Permissions: the record dom0's alone, the frontend the guest's, the backend readable by the guest. */
function creation(controller: NewController): Edit[] {
  const { domid } = controller;
  const dom0: Permission = { domid: 0, access: 'none' };
  const record = recordPath(controller);
  const frontend = frontendPath(controller);
  const backend = backendPath(controller, 'vusb');
  const directory = (
    path: string,
    permissions: readonly Permission[],
    keys: Record<string, string>,
  ): Edit[] => [
    { edit: 'mkdir', path, permissions },
    ...Object.entries(keys).map(([key, value]): Edit => ({ edit: 'write', path: `${path}/${key}`, value })),
  ];
  const backendKeys = {
    frontend,
    'frontend-id': String(domid),
    online: '1',
    state: String(XenbusState.initialising),
    type: controller.type,
    'usb-ver': String(controller.version),
    'num-ports': String(controller.ports),
    port: '',
    ...Object.fromEntries(Array.from({ length: controller.ports }, (_, k) => [`port/${k + 1}`, ''])),
  };
  const { frontend: _, ...copied } = backendKeys;
  return [
    ...directory(record, [dom0], { frontend, backend, ...copied }),
    ...directory(
      frontend,
      [
        { domid, access: 'none' },
        { domid: 0, access: 'read' },
      ],
      {
        backend,
        'backend-id': '0',
        state: String(XenbusState.initialising),
      },
    ),
    ...directory(backend, [dom0, { domid, access: 'read' }], backendKeys),
  ];
}

/** Removes the three trees and the parents that are left empty, as libxl does. */
export function removal(controller: ControllerId, backend: string): Edit[] {
  const { domid } = controller;
  const kind = backend.split('/')[5] === 'qusb' ? 'qusb' : 'vusb';
  return [
    { edit: 'rm', path: frontendPath(controller) },
    { edit: 'rm', path: recordPath(controller) },
    { edit: 'rm', path: backend },
    ...[
      `${DOMAINS}/${domid}/device/vusb`,
      controllersPath(domid),
      `${LIBXL}/${domid}/device`,
      `${backendsPath(kind)}/${domid}`,
      backendsPath(kind),
    ].map((path): Edit => ({ edit: 'prune', path })),
  ];
}

/** How a controller goes. */
export interface RemoveRequest {
  /** Does not wait for the guest to let go. */
  readonly destroy: boolean;
}

/**
 * Detaches every device, closes the backend, waits for it (not with `destroy`, and not where nobody is left to
 * answer), and removes the trees.
 *
 * @throws {PvusbError} `unsupported-type`, `unsupported-backend`
 */
export function planRemoveController(
  inventory: Inventory,
  controller: Controller,
  request: RemoveRequest,
): Plan {
  const { domid, devid } = controller;
  const name = `controller ${devid} of domain ${domid}`;
  requirePv(controller);
  const backend = controller.backend!;
  const ports = [...controller.ports, ...controller.strayPorts];
  const gone = controller.backendState === undefined;
  const answers = !request.destroy && !gone && inventory.usbback && isAlive(inventory, domid);
  const empty = ports.map(({ port }): Fact => ({ fact: 'value', path: portPath(backend, port), is: '' }));
  const vacant = ports.map(({ port }): Fact => ({ fact: 'vacant', path: portPath(backend, port) }));
  const closing: Step[] = gone
    ? []
    : [
        {
          why: `close ${name}`,
          act: { do: 'commit', expect: empty, edits: closingEdits(controller, backend) },
        },
      ];
  const waiting: Step = {
    why: `let usbback and the guest let go of ${name}`,
    act: {
      do: 'await',
      path: `${backend}/state`,
      states: [XenbusState.closed],
      orGone: true,
      withinMs: BACKEND_WITHIN_MS,
    },
  };
  return {
    title: `${request.destroy ? 'destroy' : 'remove'} USB ${name}`,
    steps: [
      ...ports.flatMap((port) => planDetachSteps(inventory, { controller, port })),
      ...closing,
      ...(answers ? [waiting] : []),
      { why: `remove ${name}`, act: { do: 'commit', expect: vacant, edits: removal(controller, backend) } },
    ],
    onFailure: 'stop',
  };
}

function closingEdits(controller: Controller, backend: string): Edit[] {
  const closed = controller.backendState === XenbusState.closed;
  return [
    ...(closed
      ? []
      : [{ edit: 'write', path: `${backend}/state`, value: String(XenbusState.closing) } as const]),
    { edit: 'write', path: `${backend}/online`, value: '0' },
  ];
}

function isAlive(inventory: Inventory, domid: number): boolean {
  return inventory.domains.some((domain) => domain.domid === domid && domain.alive);
}
