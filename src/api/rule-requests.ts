/** What can be asked for about rules, requests and the audit. */
import { z } from 'zod';
import type { DomainName } from '../pvusb/index.js';
import { IMPORT_FORMATS } from '../rules/imports/formats.js';
import { MODES, type Mode } from '../rules/rule.js';
import { NAMED_BY, type NamedBy } from '../rules/suggest.js';
import { named } from './parts.js';
import { type ChangeOptions, change, device, devid, domain, flag, port, TEXT_MAX } from './requests.js';

/** Makes a rule for a plugged-in device, or adds one as it stands in a file. */
export type AssignCall = AssignDeviceCall | (ChangeOptions & { readonly rule: string });

/** Makes a rule for a plugged-in device. */
export interface AssignDeviceCall extends ChangeOptions {
  /** `*` for every guest, in a rule that denies. */
  readonly domain: DomainName;
  readonly device: string;
  /** `auto` unless given. */
  readonly mode?: Mode | undefined;
  readonly by?: readonly NamedBy[] | undefined;
  /** All matching devices. */
  readonly every?: boolean | undefined;
  readonly devid?: number | undefined;
  readonly port?: number | undefined;
  /** Name the guest by its uuid. */
  readonly uuid?: boolean | undefined;
}
/** The request of `assign`. */
export const assignRequest: z.ZodType<AssignCall> = named(
  'AssignRequest',
  'A rule for a plugged-in device, or one as it stands in a file.',
  z.union([
    z.strictObject({ rule: z.string().min(1).max(4096).describe('auto web id=0403:6001'), ...change }),
    z.strictObject({
      domain,
      device,
      mode: z
        .enum(MODES as readonly [Mode, ...Mode[]])
        .optional()
        .describe('auto unless given'),
      by: z
        .array(z.enum(NAMED_BY as readonly [NamedBy, ...NamedBy[]]))
        .min(1)
        .max(6)
        .optional(),
      every: flag.describe('all devices that are alike, not one of them'),
      devid: devid.optional(),
      port: port.optional(),
      uuid: flag.describe('name the guest by its uuid'),
      ...change,
    }),
  ]),
);

/** Removes a rule by its place (`assignments.conf:3`), or those about a guest and a device. */
export type UnassignCall = ChangeOptions &
  ({ readonly rule: string } | { readonly domain: string; readonly device: string });
/** The request of `unassign`. */
export const unassignRequest: z.ZodType<UnassignCall> = named(
  'UnassignRequest',
  'A rule by its place, or the rules about a guest and a device.',
  z.union([
    z.strictObject({ rule: z.string().min(1).max(300).describe('assignments.conf:3'), ...change }),
    z.strictObject({ domain: z.string().min(1).max(256), device, ...change }),
  ]),
);

/** Gives guests what the rules assign. */
export interface ReconcileCall extends ChangeOptions {
  /** Only this guest. */
  readonly domain?: DomainName | undefined;
  /** Take devices from guests that are not to have them. */
  readonly moves?: boolean | undefined;
}
/** The request of `reconcile`. */
export const reconcileRequest: z.ZodType<ReconcileCall> = named(
  'ReconcileRequest',
  'One guest or all.',
  z.strictObject({
    domain: domain.optional(),
    moves: flag.describe('take devices from guests that are not to have them'),
    ...change,
  }),
);

/** Another program's file. */
export interface ImportCall {
  readonly format: 'usbguard' | 'xapi';
  readonly text: string;
  /** The name of the file in messages. */
  readonly path?: string | undefined;
  readonly guest?: string | undefined;
  readonly mode?: 'auto' | 'ask' | undefined;
}
/** The request of `import`. */
export const importRequest: z.ZodType<ImportCall> = named(
  'ImportRequest',
  "The text of another program's file of rules.",
  z.strictObject({
    format: z.enum(IMPORT_FORMATS),
    text: z.string().max(TEXT_MAX),
    path: z.string().max(300).optional().describe('what the file is called in what is said about it'),
    guest: z.string().min(1).max(256).optional(),
    mode: z.enum(['auto', 'ask']).optional(),
  }),
);

/** A word about a device that waits for one. */
export interface AnswerCall extends ChangeOptions {
  /** The id of the request. */
  readonly id: string;
  /** Whether the guest gets the device. */
  readonly grant: boolean;
}
/** The request of `answer`. */
export const answerRequest: z.ZodType<AnswerCall> = named(
  'AnswerRequest',
  'Whether a guest gets a device that is waiting for approval.',
  z.strictObject({ id: z.string().min(1).max(300), grant: z.boolean(), ...change }),
);

/** Which entries of the audit log. */
export interface AuditQuery {
  /** Those after this number; the latest unless given. */
  readonly after?: number | undefined;
  /** At most this many; 100 unless given. */
  readonly limit?: number | undefined;
}
/** The request of `audit`. */
export const auditRequest: z.ZodType<AuditQuery> = z.strictObject({
  after: z.int().min(0).optional(),
  limit: z.int().min(1).max(1000).optional(),
});

/** Where a stream of events begins. */
export interface EventsQuery {
  /** After this event: also the header `Last-Event-ID`, which counts if both are given. */
  readonly after?: string | undefined;
}
/** The request of `events`. */
export const eventsRequest: z.ZodType<EventsQuery> = z.strictObject({
  after: z.string().min(1).max(200).optional().describe('the id of the last event that was seen'),
});
