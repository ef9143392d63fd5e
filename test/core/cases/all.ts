/** All cases, and the stores that they run on. */
import { type OpenLab, openOnDaemon, openSimulated } from '../support/test-host.js';
import { attachCases } from './attach.js';
import type { Case } from './case.js';
import { controllerCases } from './controllers.js';
import { detachCases } from './detach.js';
import { devicemodelCases } from './devicemodel.js';
import { libxlCases } from './libxl.js';
import { qusbCases } from './qusb.js';
import { refusalCases } from './refused.js';

/** By topic. */
export const CASES = {
  controllers: controllerCases,
  attaching: attachCases,
  detaching: detachCases,
  refusing: refusalCases,
  'through QEMU, type qusb': qusbCases,
  'through QEMU, type devicemodel': devicemodelCases,
  'like libxl': libxlCases,
} as const satisfies Readonly<Record<string, readonly Case[]>>;

/** By name. */
export const STORES = {
  'the simulated store': openSimulated,
  "Debian's C xenstored": openOnDaemon('c'),
  "Debian's oxenstored": openOnDaemon('o'),
} as const satisfies Readonly<Record<string, OpenLab>>;

/** One case on one store. */
export interface CaseTask {
  readonly store: keyof typeof STORES;
  readonly group: keyof typeof CASES;
  readonly index: number;
}
