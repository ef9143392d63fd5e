/** The requests of the suite's table. `{guest}` in a text becomes that guest's domain id. */

import { MessageType } from '../../src/xenstore/wire.js';

/** A request as the table states it; `payload` has one byte per character. */
export interface Request {
  readonly type: number;
  readonly payload: string;
  /** The name of a transaction that an earlier step began. */
  readonly transaction?: string;
}

/** Any request, including wrong ones. */
export const request = (type: number, payload: string): Request => ({ type, payload });

const strings = (type: number, ...list: readonly string[]) =>
  request(type, list.map((item) => `${item}\0`).join(''));

export const read = (path: string) => strings(MessageType.read, path);
export const write = (path: string, value = '') => request(MessageType.write, `${path}\0${value}`);
export const mkdir = (path: string) => strings(MessageType.mkdir, path);
export const rm = (path: string) => strings(MessageType.rm, path);
export const list = (path: string) => strings(MessageType.directory, path);
export const part = (path: string, offset: number) => strings(MessageType.directoryPart, path, `${offset}`);
export const getPermissions = (path: string) => strings(MessageType.getPermissions, path);
export const setPermissions = (path: string, ...permissions: readonly string[]) =>
  strings(MessageType.setPermissions, path, ...permissions);
export const watch = (path: string, token: string) => strings(MessageType.watch, path, token);
export const unwatch = (path: string, token: string) => strings(MessageType.unwatch, path, token);
export const resetWatches = () => strings(MessageType.resetWatches, '');
export const start = () => strings(MessageType.transactionStart, '');
export const end = (outcome: string) => strings(MessageType.transactionEnd, outcome);
export const introduce = (domid: string) => strings(MessageType.introduce, domid, '1', '3');
/** With the same frame and port as the harness used: oxenstored refuses others. */
export const introduceAgain = (domid: string) => strings(MessageType.introduce, domid, domid, '3');
export const release = (domid: string) => strings(MessageType.release, domid);
export const isIntroduced = (domid: string) => strings(MessageType.isDomainIntroduced, domid);
export const domainPath = (domid: string) => strings(MessageType.getDomainPath, domid);
export const resume = (domid: string) => strings(MessageType.resume, domid);
export const setTarget = (domid: string, target: string) => strings(MessageType.setTarget, domid, target);
export const control = (...words: readonly string[]) => strings(MessageType.control, ...words);

/** The same request within a transaction. */
export const within = (transaction: string, inner: Request): Request => ({ ...inner, transaction });
