/** The doors of the API: a Unix socket, where the kernel says who comes, and TCP, where a token does. */
import type { IncomingMessage } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { Role } from '../../api/index.js';
import type { PeerOf } from '../../linux/peer.js';
import { PvusbError } from '../../pvusb/index.js';
import type { Actor } from '../service.js';
import { HttpProblem } from './problem.js';
import type { Tokens } from './token-file.js';
import { bearerIn, tokenOf } from './tokens.js';

/** Where a door listens: a path or an address to be bound, or what listens already. */
type Listen =
  | { readonly path: string }
  | { readonly host: string; readonly port: number }
  | { readonly fd: number }
  | { readonly server: Server };

/** A group whose members may come. */
interface DoorGroup {
  readonly gid: number;
  readonly role: Role;
  readonly guests?: readonly string[] | undefined;
  readonly devices?: readonly string[] | undefined;
}

/** A Unix socket: root is admin, members of the group have its role, nobody else may come. */
interface UnixDoor {
  readonly kind: 'unix';
  readonly listen: Listen;
  readonly peerOf: PeerOf;
  /** Whose daemon it is, if not root's: admin, too. A simulated host's is whoever's who has started it. */
  readonly owner?: number | undefined;
  readonly group?: DoorGroup | undefined;
}

/** A TCP port. */
interface TcpDoor {
  readonly kind: 'tcp';
  readonly listen: Listen;
  /** In PEM. Without it only addresses of this host can be listened at, for a proxy in front. */
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer } | undefined;
  readonly tokens: Tokens;
  /** The names (and ports, unless they are the usual ones) by which it may be called: `usb.example:8443`. */
  readonly hosts: readonly string[];
}

/** A door. */
export type Door = UnixDoor | TcpDoor;

/** Who has connected to a Unix socket; why nobody is known. */
export type Connected = { readonly actor: Actor } | { readonly problem: string };

/** Asks the kernel who has connected. */
export function connectedTo({ peerOf, owner, group }: UnixDoor, socket: Socket): Connected {
  try {
    const { pid, uid, gid, groups } = peerOf(socket);
    const peer = { via: 'unix', pid, uid, gid } as const;
    if (uid === 0) return { actor: { ...peer, name: 'root', role: 'admin' } };
    const name = `uid ${uid}`;
    if (uid === owner) return { actor: { ...peer, name, role: 'admin' } };
    if (group && (gid === group.gid || groups.includes(group.gid))) {
      const { role, guests, devices } = group;
      return { actor: { ...peer, name, role, guests, devices } };
    }
    return { problem: `${name} is neither root nor in the group that may use this socket.` };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Who a token is for.
 *
 * @throws {PvusbError} `not-authenticated`
 */
export async function authenticate({ tokens }: TcpDoor, { headers }: IncomingMessage): Promise<Actor> {
  const untrusted = bearerIn(headers.authorization);
  if (untrusted === undefined)
    throw new PvusbError(
      'not-authenticated',
      'Authentication is required: send Authorization: Bearer TOKEN.',
    );
  const token = tokenOf(await tokens(), untrusted);
  if (!token) throw new PvusbError('not-authenticated', 'That token is not known.');
  const { name, role, guests, devices } = token;
  return { name: `token ${name}`, via: 'tcp', role, guests, devices };
}

/**
 * Refuses a request that a web page of someone else has made: it is for another name (DNS rebinding), or comes from
 * another page. There is no CORS: no other page may ask.
 *
 * @throws {HttpProblem}
 */
export function requireOwnPage({ hosts, tls }: TcpDoor, { headers, headersDistinct }: IncomingMessage): void {
  const said = headersDistinct.host ?? [];
  const host = said[0]?.toLowerCase() ?? '';
  if (said.length !== 1 || !hosts.some((name) => name.toLowerCase() === host))
    throw forbidden(421, 'This daemon does not go by that name (Host header).');
  const { origin } = headers;
  const own = `${tls ? 'https' : 'http'}://${host}`;
  // Behind a proxy that ends TLS the page's scheme is not ours.
  const owns = tls ? [own] : [own, `https://${host}`];
  if (origin !== undefined && !owns.includes(origin.toLowerCase()))
    throw forbidden(403, 'Requests from pages of other origins are not allowed (Origin header).');
}

/**
 * Refuses what a browser says that another site has asked for. The page itself may be linked to.
 *
 * @throws {HttpProblem}
 */
export function requireSameOrigin({ headers }: IncomingMessage): void {
  const site = headers['sec-fetch-site'];
  if (site === 'cross-site' || site === 'same-site')
    throw forbidden(403, 'Requests from pages of other origins are not allowed (Sec-Fetch-Site header).');
}

function forbidden(status: number, message: string): HttpProblem {
  return new HttpProblem(status, new PvusbError('not-permitted', message));
}
