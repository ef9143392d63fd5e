/** Reads whether our own backend serves this host, and what it shows of the ports. */
import type { Controller, OwnBackend } from '../model/inventory.js';
import { BACKEND_ANNOUNCEMENT, parseNumber, portStatePath } from '../model/layout.js';
import type { CallOptions, Host } from './host.js';

/** One wave, two if it serves; none where usbback does. Undefined when it does not live. */
export async function observeOwnBackend(
  { xenstore, isServing }: Host,
  usbback: boolean,
  controllers: readonly Controller[],
  call: CallOptions,
): Promise<OwnBackend | undefined> {
  if (usbback || !isServing) return undefined;
  const [announcement] = await xenstore.readMany([BACKEND_ANNOUNCEMENT], call);
  if (announcement === undefined || !(await isServing(announcement))) return undefined;
  const places = controllers.flatMap(({ domid, devid, type, portsAt, ports }) =>
    type !== 'pv' || portsAt === undefined
      ? []
      : ports.filter(({ busid }) => busid !== undefined).map(({ port }) => ({ domid, devid, port, portsAt })),
  );
  const states =
    places.length === 0
      ? []
      : await xenstore.readMany(
          places.map(({ portsAt, port }) => portStatePath(portsAt, port)),
          call,
        );
  return {
    ports: places.flatMap(({ domid, devid, port }, at) => {
      const state = parseNumber(states[at]);
      return state === undefined ? [] : { domid, devid, port, state };
    }),
  };
}
