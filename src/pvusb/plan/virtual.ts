/** What gives a port a virtual device, and takes it away. Pure. */
import type { Place } from '../model/find.js';
import { type ControllerId, portPath, virtualPath, virtualsPath } from '../model/layout.js';
import type { Action, Edit, Fact, Step } from '../model/plan.js';
import type { Target } from '../model/request.js';
import type { VirtualName } from '../model/virtual.js';
import { type Named, namePort } from '../model/wording.js';
import { releasedStep, unservedAction } from '../types/pv-own.js';
import { servedType } from '../types/types.js';

/** What takes a virtual device out of its port, besides what is done to any port; nothing if there is none. */
export function virtualLetGo({ controller, port: { port, virtual } }: Place): {
  readonly expect: readonly Fact[];
  readonly edits: readonly Edit[];
  readonly after: readonly Step[];
} {
  if (virtual === undefined) return { expect: [], edits: [], after: [] };
  const place = { domid: controller.domid, devid: controller.devid, port };
  return {
    expect: [{ fact: 'value', path: virtualPath(place, port), is: virtual }],
    edits: forgetting(place),
    after: [releasedStep(place, virtual)],
  };
}

/** Claims a port for a virtual device: writes its name where only domain 0 can read and write it. */
export function virtualClaimStep(named: Named, name: VirtualName, target: Target): Step {
  const path = virtualPath(target, target.port);
  const forget: Action = {
    do: 'commit',
    expect: [{ fact: 'value', path, is: name }],
    edits: forgetting(target),
    otherwise: 'skip',
  };
  // What another toolstack has put there meanwhile stays.
  const call: Action = {
    do: 'commit',
    expect: [{ fact: 'vacant', path: portPath(target.portsAt, target.port) }],
    edits: [calling(target.portsAt, target.port)],
    otherwise: 'skip',
  };
  const expect: Fact[] = [
    { fact: 'value', path: portPath(target.portsAt, target.port), is: '' },
    servedType(target.type).isThere(target.portsAt),
    { fact: 'vacant', path },
  ];
  const edits: Edit[] = [{ edit: 'write', path, value: name }, calling(target.portsAt, target.port)];
  return {
    why: `claim ${namePort(named, target)} for ${name}`,
    act: { do: 'commit', expect, edits },
    undo: [forget, call, unservedAction(target, name)],
  };
}

function forgetting(place: ControllerId & { readonly port: number }): Edit[] {
  return [
    { edit: 'rm', path: virtualPath(place, place.port) },
    { edit: 'prune', path: virtualsPath(place) },
  ];
}

/** The backend looks at a controller when something is written below its directory, whatever that is. */
function calling(portsAt: string, port: number): Edit {
  return { edit: 'write', path: portPath(portsAt, port), value: '' };
}
