/** What can be asked for: the requests and their schemas. A field that is not known is refused. */
import { z } from 'zod';
import type { ControllerType, DomainName } from '../pvusb/index.js';
import { controllerType, named } from './parts.js';

/** The longest text of a file in a request, in characters. */
export const TEXT_MAX = 1_000_000;

/** A domain. */
export const domain = z
  .union([z.string().min(1).max(256), z.int().min(0).max(0xffff)])
  .describe('a domain by its name or its number');
/** A device. */
export const device = z
  .string()
  .min(1)
  .max(256)
  .describe('a device by its busid (4-1), bus.address (3.11), vendor:product or vendor:product:serial');
/** A controller. */
export const devid = z.int().min(0).max(0xffff).describe('the number of a controller');
/** A port. */
export const port = z.int().min(1).max(0xffff).describe('a port of the controller; the first is 1');
const reason = z.string().min(1).max(200).describe('why, although the host needs it or a rule denies it');
/** Yes or no; no unless given. */
export const flag = z.boolean().optional();

/** Options of every change. */
export interface ChangeOptions {
  /** Plan only: nothing is changed. */
  readonly dryRun?: boolean | undefined;
  /** The id of the operation in events: letters, digits and `._:-`, at most 64. Generated unless given. */
  readonly operation?: string | undefined;
}

/** Options of every change. */
export const change = {
  dryRun: flag.describe('plan only: nothing is changed'),
  operation: z
    .string()
    .regex(/^[\w.:-]{1,64}$/)
    .optional()
    .describe('the id of the operation in events'),
};

/** Which devices `devices` lists. */
export interface DevicesRequest {
  /** Root hubs too. */
  readonly all?: boolean | undefined;
  /** As the host was last seen, without what it does with them, and without the rules: at once. */
  readonly quick?: boolean | undefined;
}
/** The request of `devices`. */
export const devicesRequest: z.ZodType<DevicesRequest> = z.strictObject({
  all: flag.describe('root hubs too'),
  quick: flag.describe('answer at once, from the last known state, without host uses and without the rules'),
});

/** One domain; all unless given. */
export interface DomainQuery {
  readonly domain?: DomainName | undefined;
  /** As the host was last seen: at once. */
  readonly quick?: boolean | undefined;
}
/** The request of `list`. */
export const listRequest: z.ZodType<DomainQuery> = z.strictObject({
  domain: domain.optional(),
  quick: flag.describe('answer at once, from the last known state'),
});

/** A domain. */
export interface DomainRequest {
  readonly domain: DomainName;
}
/** The request of `export`. */
export const domainRequest: z.ZodType<DomainRequest> = z.strictObject({ domain });

/** A controller of a domain. */
export interface ControllerName extends DomainRequest {
  readonly devid: number;
}
/** The request of `controllerInfo`. */
export const controllerName: z.ZodType<ControllerName> = z.strictObject({ domain, devid });

/** How the doctor looks. */
export interface DoctorQuery {
  /** Checks only once: another program's work in progress counts as a finding too. */
  readonly quick?: boolean | undefined;
}
/** The request of `doctor`. */
export const doctorRequest: z.ZodType<DoctorQuery> = z.strictObject({
  quick: flag.describe('check only once: work in progress of other programs counts too'),
});

/** A device; with a domain, also why rules for that are not about it. */
export interface ExplainRequest {
  readonly device: string;
  readonly domain?: DomainName | undefined;
}
/** The request of `explain`. */
export const explainRequest: z.ZodType<ExplainRequest> = z.strictObject({
  device,
  domain: domain.optional(),
});

/** Lends a device. */
export interface AttachCall extends ChangeOptions {
  readonly domain: DomainName;
  readonly device: string;
  readonly devid?: number | undefined;
  readonly port?: number | undefined;
  /** Why, although the host needs it or a rule denies it. Admins only. */
  readonly force?: string | undefined;
  /** Also make a rule. Admins only. */
  readonly always?: boolean | undefined;
}
/** The request of `attach`. */
export const attachRequest: z.ZodType<AttachCall> = named(
  'AttachRequest',
  'Which device is lent to which domain, and where.',
  z.strictObject({
    domain,
    device,
    devid: devid.optional(),
    port: port.optional(),
    force: reason.optional(),
    always: flag.describe('also make a rule; admins only'),
    ...change,
  }),
);

/** Takes back a device, or what is in a port. */
export type DetachCall = ChangeOptions &
  (
    | { readonly device: string; readonly domain?: DomainName | undefined }
    | { readonly domain: DomainName; readonly devid: number; readonly port: number }
  );
/** The request of `detach`. */
export const detachRequest: z.ZodType<DetachCall> = named(
  'DetachRequest',
  'A device, or a port and what is in it.',
  z.union([
    z.strictObject({ device, domain: domain.optional(), ...change }),
    z.strictObject({ domain, devid, port, ...change }),
  ]),
);

/** Adds a controller; absent fields are chosen. */
export interface ControllerAddCall extends ChangeOptions {
  readonly domain: DomainName;
  readonly type?: 'auto' | ControllerType | undefined;
  readonly version?: number | undefined;
  readonly ports?: number | undefined;
  readonly devid?: number | undefined;
}
/** The request of `controllerAdd`. */
export const controllerAddRequest: z.ZodType<ControllerAddCall> = named(
  'ControllerAddRequest',
  'A controller to be added; what is absent is chosen.',
  z.strictObject({
    domain,
    type: z.enum(['auto', ...controllerType.options]).optional(),
    version: z.int().min(1).max(3).optional().describe('the USB version'),
    ports: z.int().min(1).max(31).optional(),
    devid: devid.optional(),
    ...change,
  }),
);

/** Removes a controller. */
export interface ControllerCall extends ControllerName, ChangeOptions {}
/** The request of `controllerRemove` and `controllerDestroy`. */
export const controllerRequest: z.ZodType<ControllerCall> = named(
  'ControllerRequest',
  'A controller of a domain.',
  z.strictObject({ domain, devid, ...change }),
);

/** Takes everything from a domain. */
export interface ReleaseCall extends DomainRequest, ChangeOptions {}
/** The request of `release`. */
export const releaseRequest: z.ZodType<ReleaseCall> = named(
  'ReleaseRequest',
  'A domain, alive or dead.',
  z.strictObject({ domain, ...change }),
);

/** Longest settings: they become a part of the audit. */
const SETTINGS_MAX = 100_000;

/** Makes a domain match a configuration. */
export interface ApplyCall extends DomainRequest, ChangeOptions {
  /** The text of an xl.cfg file, or libxl's JSON. */
  readonly settings: string;
  /** Settings without USB entries take everything away. */
  readonly takesAll?: boolean | undefined;
}
const settings = z.string().max(SETTINGS_MAX).describe("the text of an xl.cfg file, or libxl's JSON");
/** The request of `apply`. */
export const applyRequest: z.ZodType<ApplyCall> = named(
  'ApplyRequest',
  'What a domain is to have, and nothing else.',
  z.strictObject({ domain, settings, takesAll: flag, ...change }),
);

/** Gives a domain, which may not exist yet, what a configuration names and the rules assign. */
export interface PrepareCall extends DomainRequest, ChangeOptions {
  readonly settings?: string | undefined;
  /** How long to wait for it; 60 unless given. */
  readonly waitS?: number | undefined;
}
/** The request of `prepare`. */
export const prepareRequest: z.ZodType<PrepareCall> = named(
  'PrepareRequest',
  'What a domain, which may not exist yet, is to get before it runs.',
  z.strictObject({
    domain,
    settings: settings.optional(),
    waitS: z.int().min(0).max(600).optional().describe('how many seconds to wait for it; 60 unless given'),
    ...change,
  }),
);

/** The request of `doctorFix`. */
export const fixRequest: z.ZodType<ChangeOptions> = z.strictObject(change);

/** Nothing to say. */
export type NoRequest = Readonly<Record<never, never>>;
/** The request of what takes none. */
export const noRequest: z.ZodType<NoRequest> = z.strictObject({});
