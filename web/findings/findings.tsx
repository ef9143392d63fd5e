/** What the doctor has found. */
import { repair } from '../model/actions.js';
import { shown } from '../model/format.js';
import { useApp, useRole } from '../parts/app.js';
import { Button, Chip, Empty } from '../parts/button.js';

/** The panel of the findings. */
export function Findings() {
  const { store, operations } = useApp();
  const isOperator = useRole('operator');
  const findings = store.findings.value;
  return (
    <section class="panel" id="findings" aria-labelledby="findings-title" tabIndex={-1}>
      <header class="panel-head">
        <h2 id="findings-title">Doctor</h2>
        {isOperator && findings !== undefined && findings.length > 0 && (
          <Button onPress={() => operations.open(repair())}>Repair…</Button>
        )}
      </header>
      {findings === undefined && <p class="nothing">Checking…</p>}
      {findings?.length === 0 && <Empty>All in order: nothing is half done or left over.</Empty>}
      <ul class="list">
        {(findings ?? []).map(({ finding, severity, sentence, plan }) => (
          <li key={`${finding} ${sentence}`} class="line">
            <div class="what">
              <span>
                <Chip tone={severity === 'wrong' ? 'bad' : 'still'}>{severity}</Chip> {shown(sentence)}
              </span>
              {plan && plan.steps.length > 0 && (
                <details>
                  <summary>How it is repaired</summary>
                  <ol class="fix">
                    {plan.steps.map(({ why }, at) => (
                      <li key={`${at} ${why}`}>{shown(why)}</li>
                    ))}
                  </ol>
                </details>
              )}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
