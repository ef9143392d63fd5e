/** Reads which backend directories domain 0 has, recorded or not. */

import type { OrphanBackend } from '../model/inventory.js';
import {
  BACKEND_KINDS,
  type BackendKind,
  backendPath,
  backendsPath,
  sortedNumbers,
} from '../model/layout.js';
import type { CallOptions, XenstoreNodes } from './host.js';

/** Two waves: every backend directory of domain 0, recorded or not. */
export async function observeBackends(xenstore: XenstoreNodes, call: CallOptions): Promise<OrphanBackend[]> {
  const domains = await xenstore.directoryMany(
    BACKEND_KINDS.map((kind) => backendsPath(kind)),
    call,
  );
  const found = BACKEND_KINDS.flatMap((kind, i) =>
    sortedNumbers(domains[i]).map((domid) => ({ kind, domid })),
  );
  return backendsOf(xenstore, found, call);
}

/** One wave: the backend directories of one domain. */
export function observeBackendsOf(
  xenstore: XenstoreNodes,
  domids: readonly number[],
  call: CallOptions,
): Promise<OrphanBackend[]> {
  const wanted = BACKEND_KINDS.flatMap((kind) => domids.map((domid) => ({ kind, domid })));
  return backendsOf(xenstore, wanted, call);
}

async function backendsOf(
  xenstore: XenstoreNodes,
  found: readonly { readonly kind: BackendKind; readonly domid: number }[],
  call: CallOptions,
): Promise<OrphanBackend[]> {
  const devids = await xenstore.directoryMany(
    found.map(({ kind, domid }) => `${backendsPath(kind)}/${domid}`),
    call,
  );
  return found.flatMap(({ kind, domid }, i) =>
    sortedNumbers(devids[i]).map((devid) => ({ domid, devid, backend: backendPath({ domid, devid }, kind) })),
  );
}
