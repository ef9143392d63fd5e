/** What the conformance suite runs against: a real daemon or the simulated server, behind one interface. */

import { SUITES, type Suite } from '../../lab/debian/suites.js';
import { SimStore } from '../../src/sim/store/index.js';
import { MessageType } from '../../src/xenstore/wire.js';
import { type DaemonKind, startDaemon } from '../xenstored/daemon.js';
import type { XenVersion } from '../xenstored/fetch.js';
import { connectRaw, Raw } from '../xenstored/raw.js';

/** A real daemon, by what its behaviour depends on. */
export interface Model {
  readonly kind: DaemonKind;
  readonly xen: XenVersion;
}

/** A xenstore server under test. */
export interface Subject {
  /** Whose column of expectations applies. The simulator behaves like a C daemon. */
  readonly like: Model;
  /** Makes a domain and introduces it; its home is `/local/domain/N`. */
  introduce(domid: number): Promise<void>;
  /** Connects as a domain: as 0 any number of times, as a guest once. */
  connect(domid: number): Promise<Raw>;
  /** Makes a domain shut down. */
  shutDown(domid: number): Promise<void>;
  /** Makes a domain die, and returns when the server knows. */
  kill(domid: number): Promise<void>;
  /** Ends the server. */
  close(): Promise<void>;
}

/** One of the daemons of a Debian suite. */
export async function daemonSubject(kind: DaemonKind, suite: Suite): Promise<Subject> {
  const daemon = await startDaemon(kind, suite);
  const sockets = new Map<number, string>([[0, daemon.socket]]);
  return {
    like: { kind, xen: SUITES[suite].xen },
    introduce: async (domid) => {
      sockets.set(domid, (await daemon.guest(domid)).socket);
    },
    connect: (domid) => connectRaw(sockets.get(domid)!),
    shutDown: (domid) => daemon.shutDown(domid),
    kill: (domid) => daemon.kill(domid),
    close: () => daemon.stop(),
  };
}

/** The simulated server, as of a release of Xen. */
export async function simSubject(xen: XenVersion): Promise<Subject> {
  const store = new SimStore({ version: xen });
  const admin = new Raw(store.connect(0));
  return {
    like: { kind: 'c', xen },
    introduce: async (domid) => {
      store.introduce(domid);
      await admin.call(MessageType.mkdir, `/local/domain/${domid}\0`);
      await admin.call(MessageType.setPermissions, `/local/domain/${domid}\0n${domid}\0`);
    },
    connect: async (domid) => new Raw(store.connect(domid)),
    shutDown: () => Promise.reject(new Error('the simulated store has no shutdown')),
    kill: async (domid) => store.release(domid),
    close: async () => admin.close(),
  };
}
