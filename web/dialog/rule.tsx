/** The rule that "always" makes, and by what it recognises the device. */
import type { AnswerOf } from '../../src/api/index.js';
import type { Result } from '../model/actions.js';
import { identityWords, shown } from '../model/format.js';

type Added = NonNullable<AnswerOf<'attach'>['result']['rule']>;

/** The rules among planned results. */
export function Rule({ results }: { readonly results: readonly Result[] }) {
  const rules = results.flatMap(({ result }) => ruleIn(result) ?? []);
  const removed = results.flatMap(({ result }) => ('rules' in result ? result.rules : []));
  if (rules.length === 0 && removed.length === 0) return null;
  return (
    <section class="rule" aria-label="The rule">
      {rules.map(({ rule, by, added }) => (
        <div key={rule}>
          <p>
            {added
              ? 'A rule will be made. The device is recognised by '
              : 'This rule exists already. The device is recognised by '}
            <strong>{identityWords(by)}</strong>.
          </p>
          <code>{shown(rule)}</code>
        </div>
      ))}
      {removed.map((rule) => (
        <div key={rule}>
          <p>This rule will be removed. The guest keeps what it has now.</p>
          <code>{shown(rule)}</code>
        </div>
      ))}
    </section>
  );
}

function ruleIn(result: Result['result']): Added | undefined {
  if ('by' in result) return result;
  return 'rule' in result ? result.rule : undefined;
}
