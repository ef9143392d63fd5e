/** The ports of hubs in sysfs (`drivers/usb/core/port.c`), as far as something is known about them. */
import { isRootHub } from './names.js';
import type { PluggedDevice } from './spec.js';

/** The files of a port's folder. */
export interface PortFiles {
  /** The target of `peer`. */
  readonly link?: string;
  /** What `connect_type` reads. */
  readonly text?: string;
}

/** The folders of a hub's ports, below the hub's interface, by name: `usb1-port4`, `1-4-port2`. */
export function portsOf({ busid, spec }: PluggedDevice): ReadonlyMap<string, PortFiles> {
  return new Map(
    Object.entries(spec.ports ?? {}).map(([number, { peer, connectType }]) => [
      `${busid}-port${number}`,
      {
        ...(peer === undefined ? {} : { link: peerTarget(peer) }),
        ...(connectType === undefined ? {} : { text: `${connectType}\n` }),
      },
    ]),
  );
}

/** Only the last part of the target says something: the name of the other port. */
function peerTarget(peer: string): string {
  const cut = peer.lastIndexOf('.');
  const dash = peer.indexOf('-');
  const hub = cut === -1 ? `usb${peer.slice(0, dash)}` : peer.slice(0, cut);
  const port = peer.slice((cut === -1 ? dash : cut) + 1);
  const intf = isRootHub(hub) ? `${hub.slice(3)}-0:1.0` : `${hub}:1.0`;
  return `../../../${hub}/${intf}/${hub}-port${port}`;
}
