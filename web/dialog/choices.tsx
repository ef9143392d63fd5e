/** What is chosen when a device is given: the guest, the port, always or once, and a reason if the host needs it. */
import { useSignal } from '@preact/signals';
import type { Giving } from '../model/actions.js';
import { shown } from '../model/format.js';
import { guestName } from '../model/view.js';
import { useApp, useRole } from '../parts/app.js';

/** Refusals that an admin may overrule with a reason. */
const OVERRULED = new Set(['host-needs-it', 'denied-by-rule', 'rules-invalid']);

/** The fields. */
export function Choices({ giving }: { readonly giving: Giving }) {
  const { store, operations } = useApp();
  const isAdmin = useRole('admin');
  const { domid, devid, port, always } = giving;
  const guests = store.view.value.guests.filter(({ alive }) => alive);
  const ports = (guests.find((one) => one.domid === domid)?.controllers ?? []).flatMap((controller) =>
    controller.ports
      .filter(
        (one) => one.busid === undefined && one.virtual === undefined && one.untrustedJunk === undefined,
      )
      .map((one) => ({
        value: `${controller.devid} ${one.port}`,
        text: `controller ${controller.devid}, port ${one.port}`,
      })),
  );
  return (
    <div class="choices">
      <div class="field">
        <label for="choice-guest">Guest</label>
        <select
          id="choice-guest"
          autofocus={domid === undefined}
          value={domid === undefined ? '' : `${domid}`}
          onChange={({ currentTarget: { value } }) =>
            operations.choose({
              domid: value === '' ? undefined : Number(value),
              devid: undefined,
              port: undefined,
            })
          }
        >
          <option value="">Choose a guest…</option>
          {guests.map((guest) => (
            <option key={guest.domid} value={`${guest.domid}`}>
              {shown(guestName(guest))}
            </option>
          ))}
        </select>
      </div>
      <div class="field">
        <label for="choice-port">Port</label>
        <select
          id="choice-port"
          value={port === undefined ? '' : `${devid} ${port}`}
          onChange={({ currentTarget: { value } }) => {
            const [chosen, at] = value.split(' ').map(Number);
            operations.choose(
              value === '' ? { devid: undefined, port: undefined } : { devid: chosen, port: at },
            );
          }}
        >
          <option value="">the first suitable one</option>
          {ports.map(({ value, text }) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      </div>
      {isAdmin && (
        <label class="check">
          <input
            type="checkbox"
            checked={always}
            onChange={({ currentTarget }) => operations.choose({ always: currentTarget.checked })}
          />
          Always give this device to this guest
        </label>
      )}
      <Reason giving={giving} isAdmin={isAdmin} />
    </div>
  );
}

function Reason({ giving, isAdmin }: { readonly giving: Giving; readonly isAdmin: boolean }) {
  const { operations } = useApp();
  const reason = useSignal(giving.force ?? '');
  const { value: plan } = operations.plan;
  const isRefused = plan.is === 'refused' && OVERRULED.has(plan.why.code);
  if (giving.force === undefined && !isRefused) return null;
  if (!isAdmin) return <p class="meta">Only an admin can give it anyway, with a reason.</p>;
  return (
    <form
      class="reason"
      onSubmit={(event) => {
        event.preventDefault();
        operations.choose({ force: reason.value.trim() || undefined });
      }}
    >
      <label>
        Reason to give it anyway
        <input
          type="text"
          maxLength={200}
          value={reason.value}
          onInput={({ currentTarget }) => (reason.value = currentTarget.value)}
        />
      </label>
      <button type="submit" class="button">
        Plan with this reason
      </button>
    </form>
  );
}
