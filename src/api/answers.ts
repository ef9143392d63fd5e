/** What is answered: the answers and their schemas. */
import { z } from 'zod';
import type {
  AddedRule,
  Exported,
  ListedDevice,
  ListedDomain,
  ToldDiagnosis,
  ToldFinding,
} from '../commands/index.js';
import type {
  AddedController,
  Adjustment,
  Attached,
  Attachment,
  ControllerDetails,
  Released,
  VirtualName,
} from '../pvusb/index.js';
import type { Busid } from '../sysfs/index.js';
import { addedRule, adjustment, changed, place, plan } from './changes.js';
import {
  controllerFields,
  deviceFields,
  domainFields,
  hostUse,
  portState,
  qemuAnswer,
  device as usbDevice,
} from './host.js';
import type { Role, ServiceState } from './model.js';
import { at, busid, controllerType, count, named, virtualName } from './parts.js';

/** Who answers. */
export interface VersionAnswer {
  readonly version: string;
  /** The version of the API; it changes when what was valid no longer is. */
  readonly api: 1;
}
/** The answer of `version`. */
export const versionAnswer: z.ZodType<VersionAnswer> = z.object({ version: z.string(), api: z.literal(1) });

/** The caller as the daemon knows it, and what it may do. */
export interface WhoamiAnswer {
  readonly name: string;
  readonly role: Role;
  /** An operator's guests, by name or uuid; absent: all. */
  readonly guests?: readonly string[] | undefined;
  /** An operator's devices, by busid or ids; absent: all. */
  readonly devices?: readonly string[] | undefined;
}
/** The answer of `whoami`. */
export const whoamiAnswer: z.ZodType<WhoamiAnswer> = named(
  'Whoami',
  'The caller, and what it may do.',
  z.object({
    name: z.string(),
    role: z.enum(['viewer', 'operator', 'admin']),
    guests: z.array(z.string()).optional(),
    devices: z.array(z.string()).optional(),
  }),
);

/** The answer of `health`. */
export const healthAnswer: z.ZodType<{ readonly status: 'ok' }> = z.object({ status: z.literal('ok') });

/** The answer of `readiness`. */
export const readinessAnswer: z.ZodType<{ readonly state: ServiceState }> = z.object({
  state: z.enum(['starting', 'ready', 'unreachable']),
});

/** The answer of `metrics`. */
export const textAnswer: z.ZodType<string> = z.string();

/** An OpenAPI document. */
export type ApiDocument = Readonly<Record<string, unknown>>;
/** The answer of `openapi`. */
export const documentAnswer: z.ZodType<ApiDocument> = z.record(z.string(), z.unknown());

const { descriptors: _descriptors, hash: _hash, ...listedFields } = deviceFields;

/** The answer of `devices`. */
export const devicesAnswer: z.ZodType<readonly ListedDevice[]> = z.array(
  named(
    'ListedDevice',
    'A device, who has it, and whether it can be attached.',
    z.object({
      ...listedFields,
      name: z.string(),
      listedAs: z.string().optional(),
      usedBy: z.string(),
      assignable: z.boolean(),
      reason: z.string().optional(),
      uses: z.array(hostUse).optional(),
    }),
  ),
);

const listedPort = z.object({
  port: count,
  busid: busid.optional(),
  virtual: virtualName.optional(),
  untrustedJunk: z.string().optional(),
  state: portState.optional(),
  forced: z.string().optional(),
  device: usbDevice.optional(),
  missing: z.literal(true).optional(),
});

/** The answer of `list`. */
export const listAnswer: z.ZodType<readonly ListedDomain[]> = z.array(
  named(
    'ListedDomain',
    'A domain, its controllers, and what is in their ports.',
    z.object({
      ...domainFields,
      controllers: z.array(z.object({ ...controllerFields, ports: z.array(listedPort) })),
    }),
  ),
);

/** The answer of `controllerInfo`. */
export const controllerAnswer: z.ZodType<ControllerDetails> = named(
  'ControllerDetails',
  'A controller, and what its QEMU says.',
  z.object({
    ...controllerFields,
    qemu: qemuAnswer.optional(),
    forced: z.array(z.object({ busid, reason: z.string() })).optional(),
  }),
);

const controllerSetting = z.object({
  type: controllerType.optional(),
  version: count.optional(),
  ports: count.optional(),
});

/** The answer of `export`. */
export const exportAnswer: z.ZodType<Exported> = named(
  'Exported',
  'What a guest has, as the two settings of its xl.cfg file.',
  z.object({
    settings: z.object({
      controllers: z.array(controllerSetting),
      devices: z.array(
        z.object({ hostbus: count, hostaddr: count, controller: count.optional(), port: count.optional() }),
      ),
    }),
    text: z.string(),
    notes: z.array(z.string()),
  }),
);

const finding = named(
  'Finding',
  'Something half done or left over, and the plan that repairs it. `note`: it does no harm. What else is in it depends on the finding.',
  z.looseObject({
    finding: z.string(),
    severity: z.enum(['wrong', 'note']),
    sentence: z.string(),
    plan: plan.optional(),
  }),
) as unknown as z.ZodType<ToldFinding>;

/** The answer of `doctor`. */
export const doctorAnswer: z.ZodType<ToldDiagnosis> = named(
  'Diagnosis',
  'What is half done or left over.',
  z.object({
    healthy: z.boolean(),
    findings: z.array(finding),
    remaining: z.array(finding),
    failures: z.array(z.string()),
    idle: z.array(busid),
    revived: z.array(busid),
  }),
);

/** The answer of `doctorFix`. */
export const fixAnswer = changed('Fixed', 'What was repaired.', doctorAnswer);

/** Where a device was attached, and the rule that was made. */
export interface AttachedAnswer extends Attached {
  readonly rule?: AddedRule | undefined;
}
/** The answer of `attach`. */
export const attachAnswer = changed<AttachedAnswer>(
  'Attached',
  'Where a device was attached, and what has become of it.',
  z.object({
    ...place,
    type: controllerType,
    state: portState.optional(),
    usedByHost: z.array(hostUse).optional(),
    rule: addedRule.optional(),
  }),
);

/** Where a device was. */
export interface DetachedAnswer extends Omit<Attachment, 'busid'> {
  readonly busid?: Busid | undefined;
  readonly virtual?: VirtualName | undefined;
}
/** The answer of `detach`. */
export const detachAnswer = changed<DetachedAnswer>(
  'Detached',
  'Where the device was.',
  z.object({ ...place, busid: busid.optional(), virtual: virtualName.optional() }),
);

/** The answer of `controllerAdd`. */
export const controllerAddAnswer = changed<AddedController>(
  'AddedController',
  'The controller as it was made.',
  z.object({ ...at, type: controllerType, version: count, ports: count }),
);

/** The answer of `controllerRemove` and `controllerDestroy`. */
export const controllerRemoveAnswer = changed<{ readonly domid: number; readonly devid: number }>(
  'RemovedController',
  'The controller that was removed.',
  z.object(at),
);

/** The answer of `release`. */
export const releaseAnswer = changed<Released>(
  'Released',
  'The controllers that were removed, and the devices that were given back.',
  z.object({ domid: count, devids: z.array(count), busids: z.array(busid) }),
);

/** What a domain has gained and lost. */
export interface AppliedAnswer {
  readonly domid: number;
  readonly changes: readonly Adjustment[];
  /** What to know about the settings, a sentence each. */
  readonly notes: readonly string[];
}
/** The answer of `apply` and `prepare`. */
export const applyAnswer = changed<AppliedAnswer>(
  'Applied',
  'What the domain has gained and lost.',
  z.object({ domid: count, changes: z.array(adjustment), notes: z.array(z.string()) }),
);
