/** The schemas of events. */
import { z } from 'zod';
import type { InventoryChange, WatchEvent } from '../pvusb/index.js';
import { place, plan } from './changes.js';
import { controller, device, domain, orphanBackend, ownBackend, savedDrivers } from './host.js';
import type { StreamEvent } from './model.js';
import { at, busid, count, named } from './parts.js';
import { askRequest } from './rule-answers.js';

const kind = <T extends string>(change: T) => ({ change: z.literal(change) });

const inventoryChange: z.ZodType<InventoryChange> = named(
  'InventoryChange',
  'One difference between two looks at the host. `before` and `now` are whole.',
  z.discriminatedUnion('change', [
    z.object({ change: z.enum(['device-plugged', 'device-unplugged']), device }),
    z.object({ ...kind('device-changed'), before: device, now: device }),
    z.object({ change: z.enum(['domain-appeared', 'domain-gone']), domain }),
    z.object({ ...kind('domain-changed'), before: domain, now: domain }),
    z.object({ change: z.enum(['controller-added', 'controller-removed']), controller }),
    z.object({ ...kind('controller-changed'), before: controller, now: controller }),
    z.object({ change: z.enum(['attached', 'detached']), ...place }),
    z.object({ ...kind('drivers-saved'), busid, now: savedDrivers.optional() }),
    z.object({ ...kind('orphans'), now: z.array(orphanBackend) }),
    z.object({ ...kind('usbback'), now: z.boolean() }),
    z.object({ ...kind('backend'), now: ownBackend.optional() }),
  ]),
) as z.ZodType<InventoryChange>;

const name = z.string().optional();
const what = <T extends string>(event: T) => ({ event: z.literal(event) });

const watchEvent: z.ZodType<WatchEvent> = named(
  'WatchEvent',
  'What the daemon sees of guests and does for them.',
  z.discriminatedUnion('event', [
    z.object({ ...what('watching'), domains: count }),
    z.object({ event: z.enum(['attached', 'detached']), domid: count, name, busid }),
    z.object({ ...what('gone'), domid: count, name, busids: z.array(z.string()) }),
    z.object({ ...what('mended'), what: z.string() }),
    z.object({ ...what('returned'), name, attachment: z.object(place) }),
    z.object({
      event: z.enum(['not-returned', 'not-assigned']),
      domid: count,
      name,
      busid: z.string(),
      why: z.string(),
    }),
    z.object({ ...what('assigned'), name, at: z.object(place) }),
    z.object({ ...what('unplugged'), name, ...place }),
    z.object({ ...what('corrected'), name, domid: at.domid, busid, hostbus: count, hostaddr: count }),
    z.object({ ...what('planned'), plan: plan.or(z.looseObject({ title: z.string() })) }),
    z.object({ ...what('trouble'), why: z.string() }),
  ]),
) as unknown as z.ZodType<WatchEvent>;

/** An event of a stream. */
export const streamEvent: z.ZodType<StreamEvent> = named(
  'Event',
  'An event of the stream. `start` begins it; after `reset` everything has to be read again.',
  z.discriminatedUnion('event', [
    z.object({ ...what('change'), change: inventoryChange }),
    z.object({ ...what('watch'), watch: watchEvent }),
    z.object({
      ...what('operation'),
      operation: z.string(),
      what: z.string(),
      phase: z.enum(['begin', 'done', 'failed']),
    }),
    z.object({
      ...what('step'),
      operation: z.string(),
      why: z.string(),
      phase: z.enum(['begin', 'done', 'failed', 'undo']),
      step: count,
      steps: count,
    }),
    z.object({ ...what('requests'), requests: z.array(askRequest) }),
    z.object(what('assignments')),
    z.object({ ...what('state'), state: z.enum(['starting', 'ready', 'unreachable']) }),
    z.object(what('renewed')),
    z.object(what('start')),
    z.object(what('reset')),
  ]),
) as z.ZodType<StreamEvent>;
