/** What `restore` did, as data. */
import type { Adjustment, PvusbErrorCode, Restored } from '../pvusb/index.js';
import type { Busid } from '../sysfs/index.js';
import { type ToldPlan, toldPlan } from './plans.js';
import { remedyOf } from './remedies.js';

/** What a guest got back, and what it did not. */
export interface RestoredJson {
  readonly domid: number;
  readonly token: string;
  readonly changes: readonly Adjustment[];
  readonly plans: readonly ToldPlan[];
  /** The token remains valid for these. */
  readonly unrestored: readonly {
    readonly devid: number;
    /** Absent: it is the controller. */
    readonly busid?: Busid | undefined;
    readonly code: PvusbErrorCode;
    readonly message: string;
    /** What to do next. */
    readonly remedy: string;
  }[];
}

/** What `restore` did, as data. */
export function restoredJson({ plans, unrestored, ...restored }: Restored): RestoredJson {
  return {
    ...restored,
    plans: plans.map(toldPlan),
    unrestored: unrestored.map(({ error, ...what }) => ({
      ...what,
      code: error.code,
      message: error.message,
      remedy: remedyOf(error),
    })),
  };
}
