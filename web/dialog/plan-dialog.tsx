/** The dialog of an operation: what is to be done, the plan, the steps as they are done, and what undoes it. */
import { useEffect, useRef } from 'preact/hooks';
import { shown } from '../model/format.js';
import { useApp } from '../parts/app.js';
import { Button } from '../parts/button.js';
import { Icon } from '../parts/icon.js';
import type { ApiError } from '../state/api.js';
import { Choices } from './choices.js';
import { Losses } from './losses.js';
import { Rule } from './rule.js';
import { Steps } from './steps.js';

/** It; closed when nothing is being done. */
export function PlanDialog() {
  const { operations } = useApp();
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = operations.isOpen.value;
  useEffect(() => {
    if (isOpen && !dialog.current?.open) dialog.current?.showModal();
    else if (!isOpen) dialog.current?.close();
  }, [isOpen]);
  return (
    <dialog ref={dialog} class="plan" aria-labelledby="plan-title" onClose={() => operations.close()}>
      {isOpen && <Content />}
    </dialog>
  );
}

function Content() {
  const { store, operations } = useApp();
  const { value: phase } = operations.phase;
  const { value: plan } = operations.plan;
  const action = operations.action.value;
  const giving = operations.giving.value;
  const isAsking = phase.is === 'asking';
  const device = giving && store.view.value.devices.find(({ busid }) => busid === giving.busid);
  const title = action?.title ?? `Give ${device?.name ?? giving?.busid} to a guest`;
  return (
    <div class="dialog-body">
      <h2 id="plan-title">{shown(title)}</h2>
      {isAsking && giving && <Choices giving={giving} />}
      {isAsking && plan.is === 'refused' && <Problem why={plan.why} title="This is not possible." />}
      {isAsking && <Losses />}
      <div aria-live="polite">
        {isAsking && plan.is === 'planning' && <p class="meta">Planning…</p>}
        {isAsking && plan.is === 'planned' && <Steps title="What will be done" steps={plan.steps} />}
        {isAsking && plan.is === 'planned' && <Rule results={plan.results} />}
        {!isAsking && (
          <Steps
            title={phase.is === 'running' ? 'In progress' : 'What was done'}
            steps={operations.steps.value}
          />
        )}
        {phase.is === 'done' && (
          <p class="outcome good">
            <Icon of="done" /> {shown(phase.sentence)}
          </p>
        )}
        {phase.is === 'failed' && <Problem why={phase.why} title="It did not work." />}
      </div>
      <Buttons />
    </div>
  );
}

function Buttons() {
  const { operations } = useApp();
  const close = useRef<HTMLButtonElement>(null);
  const onward = useRef<HTMLButtonElement>(null);
  const { value: phase } = operations.phase;
  const { value: plan } = operations.plan;
  const action = operations.action.value;
  const undo = operations.last.value?.undo;
  const next = phase.is === 'done' ? action?.next : undefined;
  const isOver = phase.is === 'done' || phase.is === 'failed';
  useEffect(() => {
    if (isOver) (onward.current ?? close.current)?.focus();
  }, [isOver]);
  const isReady = plan.is === 'planned';
  return (
    <div class="dialog-buttons">
      {phase.is === 'asking' && action && (
        <button
          type="button"
          class="button main"
          aria-disabled={!isReady}
          // Focused when nothing has to be chosen first.
          autofocus={!operations.giving.value || operations.giving.value.domid !== undefined}
          onClick={() => void operations.run()}
        >
          {shown(action.verb)}
        </button>
      )}
      {phase.is === 'running' && <Button onPress={() => operations.giveUp()}>Stop and undo</Button>}
      {next && (
        <button
          ref={onward}
          type="button"
          class="button main"
          onClick={() => operations.openGiving(next.giving)}
        >
          {shown(next.verb)}
        </button>
      )}
      {isOver && undo && <Button onPress={() => operations.open(undo)}>Undo…</Button>}
      <button ref={close} type="button" class="button" onClick={() => operations.close()}>
        {phase.is === 'asking' ? 'Cancel' : 'Close'}
      </button>
    </div>
  );
}

function Problem({ why, title }: { readonly why: ApiError; readonly title: string }) {
  return (
    <div class="problem" role="alert">
      <p>
        <Icon of="failed" /> <strong>{title}</strong> {shown(why.message)}
      </p>
      <p class="remedy">{shown(why.remedy)}</p>
      {why.leftOver.length > 0 && (
        <ul>
          {why.leftOver.map((one) => (
            <li key={one}>{shown(one)}</li>
          ))}
        </ul>
      )}
    </div>
  );
}
