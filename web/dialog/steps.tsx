/** Steps, ticked off as they are done. */
import { shown } from '../model/format.js';
import type { Step } from '../model/steps.js';
import { Icon } from '../parts/icon.js';

const SIGNS = {
  waiting: 'waiting',
  begun: 'waiting',
  done: 'done',
  failed: 'failed',
  undone: 'undone',
} as const;
const WORDS = {
  waiting: '',
  begun: ' (being done)',
  done: ' (done)',
  failed: ' (failed)',
  undone: ' (undone)',
} as const;

/** The list. */
export function Steps({ title, steps }: { readonly title: string; readonly steps: readonly Step[] }) {
  if (steps.length === 0) return null;
  return (
    <section class="steps" aria-labelledby="steps-title">
      <h3 id="steps-title">{title}</h3>
      <ol>
        {steps.map(({ why, phase }, at) => (
          <li key={`${at} ${why}`} class={phase}>
            <Icon of={SIGNS[phase]} />
            <span>{shown(why)}</span>
            <span class="unseen">{WORDS[phase]}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
