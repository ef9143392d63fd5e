/** What the ports of a controller are to hold, by xenstore and by the command line. */
import type { LentDevice } from '../backend/boundary.js';
import {
  backendPath,
  type ControllerId,
  parseNumbers,
  portPath,
  virtualPath,
  virtualsPath,
} from '../pvusb/model/layout.js';
import { recordedVirtualName, type VirtualName } from '../pvusb/model/virtual.js';
import type { Shared } from './shared.js';

/** What a port is to hold. */
export interface Wanted {
  /** What it is called; `''` when it is to be empty. */
  readonly name: string;
  open(): Promise<LentDevice>;
}

/**
 * What each port is to hold, from port 1 on. A virtual device is only where the command line or a node says so that
 * domain 0 alone can write; what the port itself holds is never more than the name of a device of the host, since a
 * virtual device has a file opened.
 */
export async function readWanted(
  { client, machine, virtual }: Shared,
  controller: ControllerId,
  portCount: number,
): Promise<Wanted[]> {
  const path = backendPath(controller, 'vusb');
  const [names, virtuals] = await Promise.all([
    client.readMany(Array.from({ length: portCount }, (_, at) => portPath(path, at + 1))),
    readVirtuals(client, controller),
  ]);
  return names.map((busid = '', at) => {
    const port = at + 1;
    const made = virtual(controller.domid, controller.devid, port) ?? virtuals.get(port);
    return made === undefined
      ? { name: busid, open: () => machine.openDevice(busid) }
      : { name: made, open: () => machine.openVirtual(made) };
  });
}

async function readVirtuals(
  client: Shared['client'],
  controller: ControllerId,
): Promise<ReadonlyMap<number, VirtualName>> {
  const ports = parseNumbers(await client.directory(virtualsPath(controller)));
  const names = await client.readMany(ports.map((port) => virtualPath(controller, port)));
  return new Map(
    ports.flatMap((port, at) => {
      const name = recordedVirtualName(names[at]);
      return name === undefined ? [] : [[port, name] as const];
    }),
  );
}
