/** What every change answers, and how errors are told. */
import { z } from 'zod';
import type { AddedRule, ErrorJson, ToldPlan } from '../commands/index.js';
import type { Adjustment } from '../pvusb/index.js';
import { NAMED_BY, type NamedBy } from '../rules/suggest.js';
import { errorCode } from './host.js';
import { at, busid, controllerType, count, named } from './parts.js';

/** An error; `changes` is what an operation of several changes had done until then. */
export const errorAnswer: z.ZodType<ErrorJson> = named(
  'Error',
  'Why something failed. `changes`: what an operation of several changes had done until then.',
  z.object({
    error: z.object({
      code: errorCode,
      message: z.string().describe('one sentence'),
      remedy: z.string().describe('what to do next'),
      where: z.object({
        domid: z.number().optional(),
        devid: z.number().optional(),
        port: z.number().optional(),
        busid: z.string().optional(),
      }),
      leftOver: z.array(z.string()).describe('what an unfinished operation left on the host'),
    }),
    changes: z.array(z.unknown()).optional(),
  }),
);

const act = z.looseObject({ do: z.string() });
/** A plan. */
export const plan = named(
  'Plan',
  'What an operation does, step by step; `text` says it in words. What an action is made of may change between versions.',
  z.object({
    title: z.string(),
    text: z.string(),
    onFailure: z.enum(['undo', 'stop']),
    steps: z.array(
      z.object({
        why: z.string(),
        act,
        undo: z.array(act).optional(),
        goOn: z.boolean().optional(),
      }),
    ),
  }),
) as unknown as z.ZodType<ToldPlan>;

/** What was changed, or in a dry run would be. */
export interface Changed<T> {
  /** The id of the operation among the events. */
  readonly operation: string;
  readonly dryRun: boolean;
  readonly result: T;
  readonly plans: readonly ToldPlan[];
}

/** The schema of what was changed. */
export function changed<T>(id: string, description: string, result: z.ZodType<T>): z.ZodType<Changed<T>> {
  return named(
    id,
    description,
    z.object({ operation: z.string(), dryRun: z.boolean(), result, plans: z.array(plan) }),
  ) as z.ZodType<Changed<T>>;
}

/** A port and the device in it. */
export const place = { ...at, port: count, busid };

/** A rule that was added. */
export const addedRule: z.ZodType<AddedRule> = named(
  'AddedRule',
  'A rule that was added, or would be. `added` is false if it existed already.',
  z.object({
    rule: z.string(),
    by: z.array(z.enum(NAMED_BY as readonly [NamedBy, ...NamedBy[]])),
    busid: busid.optional(),
    added: z.boolean(),
  }),
);

/** A change of a domain. */
export const adjustment: z.ZodType<Adjustment> = named(
  'Adjustment',
  'One change of a domain.',
  z.discriminatedUnion('change', [
    z.object({ change: z.enum(['attached', 'detached']), ...place, busid: busid.optional() }),
    z.object({
      change: z.enum(['added', 'removed']),
      ...at,
      type: z.enum([...controllerType.options, 'unknown']),
      version: count,
      ports: count,
    }),
  ]),
);
