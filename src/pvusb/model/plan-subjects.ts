/** What a plan is about. */
import { type Busid, busidOf, parseDeviceName } from '../../sysfs/busid.js';
import type { Action, Plan } from './plan.js';

/** Devices and domains. */
export interface Subjects {
  readonly busids: readonly Busid[];
  readonly domids: readonly number[];
}

/** The devices and the domains that a plan's steps name. */
export function subjectsOf({ steps }: Plan): Subjects {
  return {
    busids: [...new Set(steps.flatMap(({ act }) => busidsIn(act)))],
    domids: [...new Set(steps.flatMap(({ act }) => domidsIn(act)))],
  };
}

function busidsIn(act: Action): Busid[] {
  // What is served may be a virtual device.
  if ('busid' in act) return [parseDeviceName(act.busid) ?? []].flat();
  if ('interface' in act) return [busidOf(act.interface)];
  if (act.do !== 'commit') return [];
  return act.expect.flatMap((fact) => (fact.fact === 'unclaimed' ? fact.busid : []));
}

function domidsIn(act: Action): number[] {
  if ('domid' in act) return [act.domid];
  return act.do === 'commit' && act.config ? [act.config.domid] : [];
}
