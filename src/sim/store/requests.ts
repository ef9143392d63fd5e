/** Every request of the wire protocol (`xenstore.txt`): what it contains, what it does, and the answer. */
import { formatPermission, type Permission, parsePermission } from '../../xenstore/permissions.js';
import { MessageType, PAYLOAD_MAX_BYTES } from '../../xenstore/wire.js';
import { absolutePath, homeOf } from './access.js';
import type { Client } from './client.js';
import type { Daemon } from './daemon.js';
import { StoreError } from './errors.js';
import { lookUp, makeDirectory, type OperationContext, remove, setPermissions, write } from './operations.js';
import { allows } from './permissions.js';
import { SPECIAL_NAMES } from './watches.js';

/** A request's reply, as a binary string, and what is sent right after it. */
interface Reply {
  readonly payload: string;
  readonly afterwards?: () => void;
}

/** One request as handlers see it. */
interface Call {
  readonly daemon: Daemon;
  readonly client: Client;
  /** The payload as a binary string. */
  readonly payload: string;
  readonly transactionId: number;
  readonly context: OperationContext;
}

type Handler = (call: Call) => string | Reply;

const OK = 'OK\0';

/**
 * Carries out one request.
 *
 * @throws {StoreError} the answer instead: `ENOSYS` for an unknown type, `ENOENT` for an unknown transaction, `EACCES`
 *   for what only domain 0 may do, or whatever refuses the request itself
 */
export function carryOut(
  daemon: Daemon,
  client: Client,
  type: number,
  transactionId: number,
  payload: string,
): Reply {
  const handler = HANDLERS.get(type);
  if (handler === undefined) throw new StoreError('ENOSYS');
  const context = client.context(OUTSIDE_TRANSACTIONS.has(type) ? 0 : transactionId);
  if (client.actor.domid !== 0 && PRIVILEGED.has(type)) throw new StoreError('EACCES');
  const reply = handler({ daemon, client, payload, transactionId, context });
  return typeof reply === 'string' ? { payload: reply } : reply;
}

/** The path that a request is about, as its sender wrote it; undefined for requests without one. */
export function pathOf(type: number, payload: Buffer): string | undefined {
  if (!WITH_PATH.has(type)) return undefined;
  const end = payload.indexOf(0);
  return payload.toString('latin1', 0, end < 0 ? payload.length : end);
}

/** Cuts `a\0b\0` into its strings. @throws {StoreError} `EINVAL` unless there are as many as asked for */
function strings(payload: string, least: number, most: number = least): string[] {
  const parts = payload.split('\0');
  if (parts.pop() !== '' || parts.length < least || parts.length > most) throw new StoreError('EINVAL');
  return parts;
}

function absolute({ daemon, client }: Call, path: string): string {
  return absolutePath(path, client.actor.domid, daemon.quotas.pathBytes);
}

function onlyPath(call: Call): string {
  return absolute(call, strings(call.payload, 1)[0]!);
}

/** Like C's atoi: what is not a number is 0. */
function number(text: string): number {
  return Number.parseInt(text, 10) || 0;
}

function list(items: Iterable<string>): string {
  let joined = '';
  for (const item of items) joined += `${item}\0`;
  return joined;
}

function control({ payload }: Call): string {
  const [command, ...rest] = strings(payload, 1, Number.POSITIVE_INFINITY);
  const known = (command === 'check' && rest.length === 0) || (command === 'print' && rest.length === 1);
  if (!known) throw new StoreError('EINVAL');
  return OK;
}

function directory(call: Call): string {
  const names = list(lookUp(call.context, onlyPath(call)).children);
  if (names.length > PAYLOAD_MAX_BYTES) throw new StoreError('E2BIG');
  return names;
}

/** Answers with the generation, whole names from a byte offset of the list on, and an empty name at the end. */
function directoryPart(call: Call): string {
  const [path, offset] = strings(call.payload, 2);
  const node = lookUp(call.context, absolute(call, path!));
  const generation = `${node.generation}\0`;
  const names = list(node.children);
  const from = number(offset!);
  if (from < 0 || from >= names.length) return `${generation}\0`;
  const room = PAYLOAD_MAX_BYTES - generation.length - 1;
  if (names.length - from <= room) return `${generation}${names.slice(from)}\0`;
  return `${generation}${names.slice(from, names.lastIndexOf('\0', from + room - 1) + 1)}`;
}

function read(call: Call): string {
  return lookUp(call.context, onlyPath(call)).value;
}

function writeValue(call: Call): string {
  const end = call.payload.indexOf('\0');
  if (end < 0) throw new StoreError('EINVAL');
  write(call.context, absolute(call, call.payload.slice(0, end)), call.payload.slice(end + 1));
  return OK;
}

function makeNode(call: Call): string {
  makeDirectory(call.context, onlyPath(call));
  return OK;
}

function removeNode(call: Call): string {
  remove(call.context, onlyPath(call));
  return OK;
}

function getPermissions(call: Call): string {
  return list(lookUp(call.context, onlyPath(call)).permissions.map(formatPermission));
}

function setNodePermissions(call: Call): string {
  const [path, ...entries] = strings(call.payload, 2, Number.POSITIVE_INFINITY);
  const permissions = entries.map(parsePermission);
  if (!isComplete(permissions)) throw new StoreError('EINVAL', path);
  if (SPECIAL_NAMES.includes(path!)) {
    const { watches } = call.daemon;
    const mayChange = allows(watches.specialPermissions(path!), call.client.actor, 'own');
    if (!mayChange) throw new StoreError('EACCES', path);
    watches.setSpecialPermissions(path!, permissions);
  } else {
    setPermissions(call.context, absolute(call, path!), permissions);
  }
  return OK;
}

function isComplete(permissions: readonly (Permission | undefined)[]): permissions is readonly Permission[] {
  return !permissions.includes(undefined);
}

function watch({ daemon, client, payload }: Call): Reply {
  const [path, token] = strings(payload, 2) as [string, string];
  daemon.watches.add(client, path, token);
  return { payload: OK, afterwards: () => client.notify(path, token) };
}

function unwatch({ daemon, client, payload }: Call): string {
  const [path, token] = strings(payload, 2) as [string, string];
  daemon.watches.remove(client, path, token);
  return OK;
}

function resetWatches({ client }: Call): string {
  client.reset();
  return OK;
}

function transactionStart({ client, transactionId }: Call): string {
  if (transactionId !== 0) throw new StoreError('EBUSY');
  return `${client.begin()}\0`;
}

function transactionEnd({ client, transactionId, payload }: Call): string {
  if (transactionId === 0) throw new StoreError('ENOENT');
  if (payload !== 'T\0' && payload !== 'F\0') throw new StoreError('EINVAL');
  client.end(transactionId, payload === 'T\0');
  return OK;
}

function introduce({ daemon, payload }: Call): string {
  daemon.introduce(number(strings(payload, 3)[0]!));
  return OK;
}

/** An existing domain other than 0. @throws {StoreError} `EINVAL`, `ENOENT` */
function knownGuest({ daemon, payload }: Call): number {
  const domid = number(strings(payload, 1)[0]!);
  if (domid <= 0) throw new StoreError('EINVAL');
  if (!daemon.isDomain(domid)) throw new StoreError('ENOENT');
  return domid;
}

function release(call: Call): string {
  call.daemon.release(knownGuest(call));
  return OK;
}

function resume(call: Call): string {
  knownGuest(call);
  return OK;
}

function setTarget({ daemon, payload }: Call): string {
  const [domid, target] = strings(payload, 2).map(number) as [number, number];
  if (!daemon.isDomain(domid) || !daemon.isDomain(target)) throw new StoreError('ENOENT');
  daemon.setTarget(domid, target);
  return OK;
}

const HANDLERS: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [MessageType.control, control],
  [MessageType.directory, directory],
  [MessageType.directoryPart, directoryPart],
  [MessageType.read, read],
  [MessageType.write, writeValue],
  [MessageType.mkdir, makeNode],
  [MessageType.rm, removeNode],
  [MessageType.getPermissions, getPermissions],
  [MessageType.setPermissions, setNodePermissions],
  [MessageType.watch, watch],
  [MessageType.unwatch, unwatch],
  [MessageType.resetWatches, resetWatches],
  [MessageType.transactionStart, transactionStart],
  [MessageType.transactionEnd, transactionEnd],
  [MessageType.getDomainPath, ({ payload }) => `${homeOf(number(strings(payload, 1)[0]!) >>> 0)}\0`],
  [
    MessageType.isDomainIntroduced,
    ({ daemon, payload }) => (daemon.isIntroduced(number(strings(payload, 1)[0]!)) ? 'T\0' : 'F\0'),
  ],
  [MessageType.introduce, introduce],
  [MessageType.release, release],
  [MessageType.resume, resume],
  [MessageType.setTarget, setTarget],
]);

const PRIVILEGED: ReadonlySet<number> = new Set([
  MessageType.control,
  MessageType.introduce,
  MessageType.release,
  MessageType.isDomainIntroduced,
  MessageType.resume,
  MessageType.setTarget,
]);

/** The daemon ignores these requests' transaction. */
const OUTSIDE_TRANSACTIONS: ReadonlySet<number> = new Set([MessageType.watch, MessageType.unwatch]);

const WITH_PATH: ReadonlySet<number> = new Set([
  MessageType.directory,
  MessageType.directoryPart,
  MessageType.read,
  MessageType.write,
  MessageType.mkdir,
  MessageType.rm,
  MessageType.getPermissions,
  MessageType.setPermissions,
  MessageType.watch,
  MessageType.unwatch,
]);
