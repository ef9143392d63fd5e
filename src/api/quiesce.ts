/** What is asked and answered about guests without their devices for a while. */
import { z } from 'zod';
import type { RestoredJson } from '../commands/index.js';
import type { QuiescedGuest } from '../pvusb/index.js';
import type { Busid } from '../sysfs/index.js';
import { adjustment, changed } from './changes.js';
import { errorCode, quiescedGuest } from './host.js';
import { at, busid, count, named } from './parts.js';
import { type ChangeOptions, change, type DomainRequest, domain, flag } from './requests.js';

/** Detaches all devices from a guest. */
export interface QuiesceCall extends DomainRequest, ChangeOptions {
  /** Remove its controllers too. */
  readonly controllers?: boolean | undefined;
}
/** The request of `quiesce`. */
export const quiesceRequest: z.ZodType<QuiesceCall> = named(
  'QuiesceRequest',
  'A guest, and whether its controllers are removed too.',
  z.strictObject({ domain, controllers: flag.describe('remove its controllers too'), ...change }),
);

/** A quiesced guest. */
export interface RestoreCall extends ChangeOptions {
  /** The token that `quiesce` returned, or the name of the guest. */
  readonly token: string;
}
/** The request of `restore` and of `forget`. */
export const restoreRequest: z.ZodType<RestoreCall> = named(
  'RestoreRequest',
  'A quiesced guest.',
  z.strictObject({
    token: z.string().min(1).max(256).describe('the token that quiesce returned, or the name of the guest'),
    ...change,
  }),
);

/** The answer of `quiesced`. */
export const quiescedAnswer: z.ZodType<readonly QuiescedGuest[]> = z.array(quiescedGuest);

/** What was taken, and the token that gives it back. */
export interface QuiescedAnswer {
  readonly domid: number;
  /** For `restore`; in a dry run what it would be. */
  readonly token: string;
  /** Everything that the guest gets back. */
  readonly busids: readonly Busid[];
}
/** The answer of `quiesce`. */
export const quiesceAnswer = changed<QuiescedAnswer>(
  'Quiesced',
  'What was taken from a guest, and the token that gives it back.',
  z.object({ domid: count, token: z.string(), busids: z.array(busid) }),
);

/** The answer of `restore`. */
export const restoreAnswer = changed<Omit<RestoredJson, 'plans'>>(
  'Restored',
  'What a guest got back, and what it did not: the token remains valid for that.',
  z.object({
    domid: count,
    token: z.string(),
    changes: z.array(adjustment),
    unrestored: z.array(
      z.object({
        devid: at.devid,
        busid: busid.optional(),
        code: errorCode,
        message: z.string(),
        remedy: z.string().describe('what to do next'),
      }),
    ),
  }),
);

/** The answer of `forget`. */
export const forgetAnswer = changed<QuiescedGuest>(
  'Forgotten',
  'What the guest does not get back any more.',
  quiescedGuest,
);
