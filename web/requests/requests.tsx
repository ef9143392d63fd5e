/** Devices waiting for approval: a rule of mode `ask` would give them to a guest. */
import { answer } from '../model/actions.js';
import { shown } from '../model/format.js';
import { useApp, useRole } from '../parts/app.js';
import { Button } from '../parts/button.js';

/** The panel; absent when nothing waits. */
export function Requests() {
  const { store, operations } = useApp();
  const isOperator = useRole('operator');
  const requests = store.requests.value;
  const { devices } = store.view.value;
  if (requests.length === 0) return null;
  return (
    <section class="panel notice" aria-labelledby="requests-title">
      <h2 id="requests-title">Waiting for approval</h2>
      <ul class="list">
        {requests.map((request) => {
          const device = devices.find(({ busid }) => busid === request.busid);
          const guest = request.guest ?? `domain ${request.domid}`;
          const about = `${device?.name ?? request.busid}, ${guest}`;
          return (
            <li key={request.id} class="line">
              <div class="what">
                <span class="name">
                  May {shown(guest)} have {shown(device?.name ?? request.busid)}?
                </span>
                <span class="meta">
                  socket {request.busid} · asked by {request.rule}
                </span>
              </div>
              {isOperator && (
                <div class="actions">
                  <Button
                    look="main"
                    about={about}
                    onPress={() => operations.open(answer(store.view.value, request, true))}
                  >
                    Yes, give it…
                  </Button>
                  <Button
                    about={about}
                    onPress={() => operations.open(answer(store.view.value, request, false))}
                  >
                    No…
                  </Button>
                </div>
              )}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
