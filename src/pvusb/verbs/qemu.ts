/** Giving a guest a QEMU while it runs, and taking it away. */
import { isPvusbError, PvusbError } from '../model/errors.js';
import { type DomainName, findDomain } from '../model/find.js';
import { DOMAINS, ownQemuPath, parseNumber } from '../model/layout.js';
import { type Named, nameDomain } from '../model/wording.js';
import type { Host } from '../observe/host.js';
import { observe } from '../observe/observe.js';
import { planStartQemu, planStopQemu } from '../plan/qemu.js';
import { type OperationOptions, type Outcome, operate } from './operate.js';

/** A domain whose QEMU was started or ended. */
export interface QemuChange {
  readonly domid: number;
  /** False: it had one already, or none. */
  readonly isChanged: boolean;
}

/** MiB, where a guest does not say how much memory it has. */
const USUAL_MEMORY_MIB = 128;

/**
 * Starts a QEMU for a PV or PVH guest that has none, as `xl create` would have: it then can have controllers of type
 * qusb. libxl ends it with the guest. Nothing happens if the guest has one.
 *
 * @throws {PvusbError} `no-such-domain`, `invalid-argument` (domain 0), `unsupported-type` (an HVM guest), `qemu-dead`,
 *   `qemu-not-started` (nothing is left behind; always on a simulated host)
 */
export async function startQemu(
  host: Host,
  request: { readonly domain: DomainName },
  options: OperationOptions = {},
): Promise<Outcome<QemuChange>> {
  const domid = await domidOf(host, request, options);
  const paths = [`${DOMAINS}/${domid}/memory/static-max`, ownQemuPath(domid)];
  const start = async (): Promise<Outcome<QemuChange>> => {
    const [text, own] = await host.xenstore.readMany(paths, options);
    const memoryMib = Math.ceil((parseNumber(text) ?? 0) / 1024) || USUAL_MEMORY_MIB;
    return operate(
      host,
      options,
      (inventory) => {
        const plan = planStartQemu(inventory, findDomain(inventory, domid), memoryMib, own);
        if (plan.steps.length > 0 && !host.qemuRunner) throw cannotStart(inventory, domid);
        return { plan, result: { domid, isChanged: plan.steps.length > 0 } };
      },
      { asks: (seen) => (findDomain(seen, domid).deviceModel?.running ? [domid] : []) },
    );
  };
  try {
    return await start();
  } catch (error) {
    // Somebody else began in the same moment, and has not ended yet: what says so is there now.
    if (!isPvusbError(error, 'conflict')) throw error;
    return start();
  }
}

/**
 * Ends the QEMU that {@link startQemu} has started. Nothing happens if there is none.
 *
 * @throws {PvusbError} `no-such-domain`, `qemu-in-use`: it serves controllers, or xl has started it
 */
export async function stopQemu(
  host: Host,
  request: { readonly domain: DomainName },
  options: OperationOptions = {},
): Promise<Outcome<QemuChange>> {
  const domid = await domidOf(host, request, options);
  const [own] = await host.xenstore.readMany([ownQemuPath(domid)], options);
  return operate(host, options, (inventory) => {
    const plan = planStopQemu(inventory, findDomain(inventory, domid), own);
    return { plan, result: { domid, isChanged: plan.steps.length > 0 } };
  });
}

function cannotStart(named: Named, domid: number): PvusbError {
  const sentence = `A QEMU for ${nameDomain(named, domid)} could not be started: this host is simulated.`;
  const remedy = 'Run it in domain 0 of a Xen host, without PVUSB_QMP.';
  return new PvusbError('qemu-not-started', sentence, { where: { domid }, remedy });
}

async function domidOf(
  host: Host,
  { domain }: { readonly domain: DomainName },
  { signal }: OperationOptions,
): Promise<number> {
  return findDomain(await observe(host, { signal, scope: 'controllers' }), domain).domid;
}
