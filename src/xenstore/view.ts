/** Reading and writing nodes: the same operations inside and outside a transaction. */
import { type CallOptions, call, callForNode, callMany, copyBytes } from './call.js';
import type { Connection } from './connection.js';
import { isXenstoreError, XenstoreError } from './errors.js';
import { pathFault } from './path.js';
import { formatPermission, type Permission, parsePermission } from './permissions.js';
import { decodeStrings, describeType, MessageType } from './wire.js';

/** How often a listing in parts is restarted because the directory changed meanwhile, before giving up. */
const LISTING_ATTEMPTS = 20;

/** A place to read and write nodes from: the store itself, or one transaction. */
export class StoreView {
  readonly #connection: Connection;
  readonly #transactionId: number;

  constructor(connection: Connection, transactionId: number) {
    this.#connection = connection;
    this.#transactionId = transactionId;
  }

  /** The value of a node as UTF-8 text; undefined when it does not exist. */
  read(path: string, options?: CallOptions): Promise<string | undefined> {
    return this.#askNode(MessageType.read, path, decodeText, options);
  }

  /** The value of a node, byte for byte; undefined when it does not exist. */
  readBytes(path: string, options?: CallOptions): Promise<Buffer | undefined> {
    return this.#askNode(MessageType.read, path, copyBytes, options);
  }

  /** The values of many nodes, in the order of `paths`: one wave of requests, one promise. */
  readMany(paths: readonly string[], options?: CallOptions): Promise<(string | undefined)[]> {
    return this.#askMany(MessageType.read, paths, decodeText, options);
  }

  /** The names of a node's children; undefined when the node does not exist. The list may have any size. */
  async directory(path: string, options?: CallOptions): Promise<string[] | undefined> {
    return (await this.directoryMany([path], options))[0];
  }

  /** The children of many nodes, in the order of `paths`: one wave of requests. */
  async directoryMany(paths: readonly string[], options?: CallOptions): Promise<(string[] | undefined)[]> {
    try {
      return await this.#askMany(MessageType.directory, paths, decodeStrings, options);
    } catch (error) {
      // The C daemon answers E2BIG for a list above 4096 bytes and gives it in parts on request.
      if (!isXenstoreError(error, 'E2BIG')) throw error;
      const only = paths.length === 1 ? paths[0] : undefined;
      if (only !== undefined) return [await this.#directoryInParts(only, options)];
      return Promise.all(paths.map((path) => this.directory(path, options)));
    }
  }

  /** Writes a node; missing parents are created. */
  async write(path: string, value: string | Buffer, options?: CallOptions): Promise<void> {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
    await this.#ask(MessageType.write, path, options, bytes);
  }

  /** Creates a node with an empty value; one that exists stays as it is. */
  async mkdir(path: string, options?: CallOptions): Promise<void> {
    await this.#ask(MessageType.mkdir, path, options);
  }

  /** Removes a node and everything below it; it is not an error if it does not exist. */
  async rm(path: string, options?: CallOptions): Promise<void> {
    // oxenstored empties the whole store here, the C daemon answers EINVAL: never ask.
    if (path === '/') throw new XenstoreError('invalid-path', 'rm', path, 'the root cannot be removed');
    try {
      await this.#ask(MessageType.rm, path, options);
    } catch (error) {
      if (!isXenstoreError(error, 'ENOENT')) throw error;
    }
  }

  /** A node's permissions, its owner first; undefined when it does not exist. */
  async permissions(path: string, options?: CallOptions): Promise<Permission[] | undefined> {
    const entries = await this.#askNode(MessageType.getPermissions, path, decodePermissions, options);
    if (entries === undefined) return undefined;
    if (entries.every((entry) => entry !== undefined)) return entries;
    throw new XenstoreError('protocol', 'getPermissions', path, 'the answer is not a list of permissions');
  }

  /** Sets a node's permissions; the first entry names its owner and everyone else's access. */
  async setPermissions(
    path: string,
    permissions: readonly Permission[],
    options?: CallOptions,
  ): Promise<void> {
    if (permissions.length === 0) {
      throw new XenstoreError('EINVAL', 'setPermissions', path, 'at least the owner must be named');
    }
    const entries = `${permissions.map(formatPermission).join('\0')}\0`;
    await this.#ask(MessageType.setPermissions, path, options, Buffer.from(entries));
  }

  #ask(type: MessageType, path: string, options?: CallOptions, value?: Buffer): Promise<Buffer> {
    checkPath(type, path);
    const ask = { type, transactionId: this.#transactionId, path, text: `${path}\0` };
    return call(this.#connection, value ? { ...ask, value } : ask, options);
  }

  /** One request for a node that may be missing. */
  #askNode<T>(
    type: MessageType,
    path: string,
    decode: (payload: Buffer) => T,
    options: CallOptions | undefined,
  ): Promise<T | undefined> {
    const refusal = pathRefusal(type, path);
    if (refusal) return Promise.reject(refusal);
    const ask = { type, transactionId: this.#transactionId, path, text: `${path}\0` };
    return callForNode(this.#connection, ask, decode, options);
  }

  async #askMany<T>(
    type: MessageType,
    paths: readonly string[],
    decode: (payload: Buffer) => T,
    options?: CallOptions,
  ): Promise<(T | undefined)[]> {
    for (const path of paths) checkPath(type, path);
    return callMany(this.#connection, { type, transactionId: this.#transactionId, paths }, decode, options);
  }

  /** XS_DIRECTORY_PART: `<generation>\0` and a piece of the list; the end is marked by an extra NUL. */
  async #directoryInParts(path: string, options?: CallOptions): Promise<string[] | undefined> {
    for (let attempt = 0; attempt < LISTING_ATTEMPTS; attempt++) {
      try {
        const names = await this.#partsOfOneGeneration(path, options);
        if (names) return names;
      } catch (error) {
        if (isXenstoreError(error, 'ENOENT')) return undefined;
        throw error;
      }
    }
    throw new XenstoreError('too-many-retries', 'directory', path, 'the list changed each time it was read');
  }

  async #partsOfOneGeneration(path: string, options?: CallOptions): Promise<string[] | undefined> {
    let generation: string | undefined;
    let list = Buffer.alloc(0);
    for (;;) {
      const payload = await call(
        this.#connection,
        {
          type: MessageType.directoryPart,
          transactionId: this.#transactionId,
          path,
          text: `${path}\0${list.length}\0`,
        },
        options,
      );
      const end = payload.indexOf(0);
      if (end < 0)
        throw new XenstoreError('protocol', 'directory', path, 'a part of the list has no generation');
      const seen = payload.toString('latin1', 0, end);
      generation ??= seen;
      if (seen !== generation) return undefined;
      const part = payload.subarray(end + 1);
      const last = part.length === 0 || (part.at(-1) === 0 && (part.length === 1 || part.at(-2) === 0));
      list = Buffer.concat([list, last ? part.subarray(0, -1) : part]);
      if (last) return decodeStrings(list);
    }
  }
}

function decodeText(payload: Buffer): string {
  return payload.toString('utf8');
}

function decodePermissions(payload: Buffer): (Permission | undefined)[] {
  return decodeStrings(payload).map(parsePermission);
}

/** Refuses a path that the daemon refuses, or that would confuse it (an inner NUL crashes xenstored 4.17). */
function checkPath(type: MessageType, path: string): void {
  const refusal = pathRefusal(type, path);
  if (refusal) throw refusal;
}

function pathRefusal(type: MessageType, path: string): XenstoreError | undefined {
  const fault = pathFault(path);
  if (fault === undefined) return undefined;
  const shown = JSON.stringify(path.length > 80 ? `${path.slice(0, 80)}...` : path);
  return new XenstoreError('invalid-path', describeType(type), undefined, `the path ${shown} ${fault}`);
}
