/** Plans as commands answer with them. */
import { formatPlan, type Plan } from '../pvusb/index.js';

/** A plan, and the same as text. */
export interface ToldPlan extends Plan {
  readonly text: string;
}

/** A plan, and the same as text. */
export function toldPlan(plan: Plan): ToldPlan {
  return { ...plan, text: formatPlan(plan) };
}

/** The plan alone. */
export function barePlan({ text: _, ...plan }: ToldPlan): Plan {
  return plan;
}
