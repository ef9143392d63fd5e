/** Reads who serves type pv on this host: the kernel's usbback, or our own backend, and what that shows of the ports. */
import { USBBACK } from '../model/drivers.js';
import type { Controller, OwnBackend, Port } from '../model/inventory.js';
import { BACKEND_ANNOUNCEMENT, parseNumber, portStatePath } from '../model/layout.js';
import type { CallOptions, Host } from './host.js';

/** A look that was made before, and the controllers that may have changed since. */
interface Since {
  readonly before: OwnBackend | undefined;
  readonly isDirty: (controller: Pick<Controller, 'domid'>) => boolean;
}

/** Who may serve type pv. */
interface PvServer {
  /** The kernel has usbback. */
  readonly usbback: boolean;
  /** Which process serves in its place; it may have died since. */
  readonly announcement?: string | undefined;
}

/** At the same time as all else that is read: one wave, none where usbback is. */
export async function observePvServer(
  { xenstore, sysfs, isServing }: Host,
  call: CallOptions,
): Promise<PvServer> {
  const usbback = await sysfs.hasDriver(USBBACK, call);
  if (usbback || !isServing) return { usbback };
  const [announcement] = await xenstore.readMany([BACKEND_ANNOUNCEMENT], call);
  return { usbback, announcement };
}

/** The backend has something there. */
function hasDevice({ busid, virtual }: Port): boolean {
  return busid !== undefined || virtual !== undefined;
}

/**
 * One wave if it serves and has devices. Undefined when it does not live. With `since` only ports of controllers that may
 * have changed are read again.
 */
export async function observeOwnBackend(
  { xenstore, isServing }: Host,
  { announcement }: PvServer,
  controllers: readonly Controller[],
  call: CallOptions,
  since?: Since,
): Promise<OwnBackend | undefined> {
  if (announcement === undefined || !(await isServing?.(announcement))) return undefined;
  const before = since?.before;
  const isClean = (one: Pick<Controller, 'domid'>): boolean => before !== undefined && !since?.isDirty(one);
  const asked = controllers.filter((one) => !isClean(one));
  const places = asked.flatMap(({ domid, devid, type, portsAt, ports }) =>
    type !== 'pv' || portsAt === undefined
      ? []
      : ports.filter(hasDevice).map(({ port }) => ({ domid, devid, port, portsAt })),
  );
  const states =
    places.length === 0
      ? []
      : await xenstore.readMany(
          places.map(({ portsAt, port }) => portStatePath(portsAt, port)),
          call,
        );
  const read = places.flatMap(({ domid, devid, port }, at) => {
    const state = parseNumber(states[at]);
    return state === undefined ? [] : { domid, devid, port, state };
  });
  // In the same order however much was read: what is the same looks the same.
  const ports = [...(before?.ports ?? []).filter(isClean), ...read].sort(
    (one, other) => one.domid - other.domid || one.devid - other.devid || one.port - other.port,
  );
  return { ports };
}
