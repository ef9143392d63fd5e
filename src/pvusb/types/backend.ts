/** What the types served through xenstore have in common: a backend directory and its states. */
import { allPorts } from '../model/find.js';
import { XenbusState } from '../model/inventory.js';
import { type BackendKind, backendPath, type ControllerId, portPath } from '../model/layout.js';
import type { Edit, Fact, Step } from '../model/plan.js';
import type { RemoveRequest } from '../model/request.js';
import type { Served } from '../model/served.js';
import { type Named, nameController } from '../model/wording.js';

/** How long a backend may take to answer (libxl: LIBXL_INIT_TIMEOUT, LIBXL_DESTROY_TIMEOUT). */
export const BACKEND_WITHIN_MS = 10_000;

/** Waits until `server` has taken a controller. */
export function servedStep(named: Named, server: string, kind: BackendKind, controller: ControllerId): Step {
  return {
    why: `let ${server} take ${nameController(named, controller)}`,
    act: {
      do: 'await',
      domid: controller.domid,
      devid: controller.devid,
      server,
      path: `${backendPath(controller, kind)}/state`,
      states: [XenbusState.initWait, XenbusState.initialised, XenbusState.connected],
      orGone: false,
      withinMs: BACKEND_WITHIN_MS,
    },
  };
}

/** A controller that has not been taken yet. */
export function isNew({ backendState }: Served): boolean {
  return backendState === XenbusState.initialising;
}

/** Closes a backend and, if anyone is left to answer, waits for the guest; does not wait when it is destroyed. */
export function closingSteps(
  named: Named,
  server: string,
  controller: Served,
  { destroy }: RemoveRequest,
  isAnswered: boolean,
): Step[] {
  const { portsAt, backendState } = controller;
  if (backendState === undefined) return [];
  const name = nameController(named, controller);
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
  if (destroy || !isAnswered) return [closing];
  const waiting: Step = {
    why: `let ${server} and the guest let go of ${name}`,
    act: {
      do: 'await',
      domid: controller.domid,
      devid: controller.devid,
      server,
      path: `${portsAt}/state`,
      states: [XenbusState.closed],
      orGone: true,
      withinMs: BACKEND_WITHIN_MS,
    },
  };
  return [closing, waiting];
}

/** A backend that is not being removed. */
export function isOnline(portsAt: string): Fact {
  return { fact: 'value', path: `${portsAt}/online`, is: '1' };
}
