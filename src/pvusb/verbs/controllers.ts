/** Adding and removing controllers. */

import type { ControllerType } from '../../libxl/index.js';
import type { Busid } from '../../sysfs/busid.js';
import { controllersOf, type DomainName, findController, findDomain } from '../model/find.js';
import { isServed } from '../model/served.js';
import { labelDomain } from '../model/wording.js';
import type { Host } from '../observe/host.js';
import { planAddController, planRemoveController } from '../plan/controller.js';
import { type ControllerRequest, resolveController, resolveType } from '../plan/resolve.js';
import { type OperationOptions, type Outcome, operate, type Planner, qemuFor } from './operate.js';

/** A controller that was added. */
export interface AddedController {
  readonly domid: number;
  readonly devid: number;
  readonly type: ControllerType;
  readonly version: number;
  readonly ports: number;
}

/**
 * Adds a virtual USB controller to a domain and waits until usbback or QEMU serves it.
 *
 * @throws {PvusbError} `no-such-domain`, `controller-exists`, `invalid-argument`, `no-usbback`, `no-device-model`,
 *   `qemu-dead`, `qemu-refused`, `unsupported-type`, `unsupported-backend`, `state-timeout`, `domain-gone`, or one of the host's
 */
export function addController(
  host: Host,
  request: ControllerRequest & { readonly domain: DomainName },
  options: OperationOptions = {},
): Promise<Outcome<AddedController>> {
  const planner: Planner<AddedController> = (inventory) => {
    const controller = resolveController(inventory, findDomain(inventory, request.domain), request);
    return { plan: planAddController(inventory, controller), result: controller };
  };
  return operate(host, options, planner, {
    asks(seen) {
      const domain = findDomain(seen, request.domain);
      return qemuFor(domain, [resolveType(seen, domain, request.type ?? 'auto')]);
    },
  });
}

/**
 * Detaches every device of a controller and removes it. With `destroy` the guest is not waited for.
 *
 * @throws {PvusbError} `no-such-domain`, `no-such-controller`, `unsupported-type`, `state-timeout` (run it again,
 *   or destroy it), `driver-not-restored`
 */
export function removeController(
  host: Host,
  request: { readonly domain: DomainName; readonly devid: number; readonly destroy?: boolean | undefined },
  options: OperationOptions = {},
): Promise<Outcome<{ readonly domid: number; readonly devid: number }>> {
  const planner: Planner<{ readonly domid: number; readonly devid: number }> = (inventory) => {
    const { domid } = findDomain(inventory, request.domain);
    const controller = findController(inventory, domid, request.devid);
    const plan = planRemoveController(inventory, controller, { destroy: request.destroy ?? false });
    return { plan, result: { domid, devid: request.devid } };
  };
  return operate(host, options, planner, {
    asks(seen) {
      const domain = findDomain(seen, request.domain);
      return qemuFor(domain, [findController(seen, domain.domid, request.devid).type]);
    },
  });
}

/**
 * Takes every device of a domain back and removes its controllers, without waiting for the guest; the domain may be
 * dead. Controllers of an unknown type are left alone.
 *
 * @throws {PvusbError} `no-such-domain`, `driver-not-restored`; can be run again from any half-way point
 */
export function releaseDomain(
  host: Host,
  request: { readonly domain: DomainName },
  options: OperationOptions = {},
): Promise<Outcome<Released>> {
  const planner: Planner<Released> = (inventory) => {
    const domain = findDomain(inventory, request.domain);
    const { domid } = domain;
    const ours = controllersOf(inventory, domid).filter(isServed);
    const steps = ours.flatMap(
      (controller) => planRemoveController(inventory, controller, { destroy: true }).steps,
    );
    const busids = ours.flatMap(({ ports }) => ports.flatMap(({ busid }) => busid ?? []));
    const plan = { title: `release ${labelDomain(domain)}`, steps, onFailure: 'stop' } as const;
    return { plan, result: { domid, devids: ours.map(({ devid }) => devid), busids } };
  };
  return operate(host, options, planner, {
    asks(seen) {
      const domain = findDomain(seen, request.domain);
      return qemuFor(
        domain,
        controllersOf(seen, domain.domid).map(({ type }) => type),
      );
    },
  });
}

/** What {@link releaseDomain} took from a domain. */
export interface Released {
  readonly domid: number;
  /** The controllers that were removed. */
  readonly devids: readonly number[];
  /** The devices that were given back. */
  readonly busids: readonly Busid[];
}
