/** The rules that give devices to guests, and what has become of each. */
import { removeRule } from '../model/actions.js';
import { shown } from '../model/format.js';
import type { Assignment } from '../model/view.js';
import { useApp, useRole } from '../parts/app.js';
import { Button, Chip, Empty } from '../parts/button.js';

const STATES: Readonly<
  Record<Assignment['status'], readonly [tone: 'good' | 'wait' | 'bad' | 'still', meaning: string]>
> = {
  present: ['good', 'the guest has it'],
  pending: ['wait', 'the device is plugged in, but the guest does not have it yet'],
  missing: ['still', 'the device is not plugged in, or the guest is not running'],
  conflicting: ['bad', 'something else has the device, or the port'],
  denied: ['bad', 'a rule denies it'],
};

/** The panel of the assignments. */
export function Assignments() {
  const { store, operations } = useApp();
  const isAdmin = useRole('admin');
  const { assignments, devices } = store.view.value;
  return (
    <section class="panel" id="assignments" aria-labelledby="assignments-title" tabIndex={-1}>
      <header class="panel-head">
        <h2 id="assignments-title">Always</h2>
        <span class="count">devices that come back automatically</span>
      </header>
      {store.isLoaded.value && assignments.length === 0 && (
        <Empty>
          No rule gives a device to a guest yet. Choose “Always give this device to this guest” when you give
          one: it comes back after every replug and every reboot.
        </Empty>
      )}
      <ul class="list">
        {assignments.map((one) => {
          const [tone, meaning] = STATES[one.status];
          const device = devices.find(({ busid }) => busid === one.busid);
          return (
            <li key={`${one.file}:${one.line} ${one.busid}`} class="line">
              <div class="what">
                <span class="name">
                  {shown(device?.name ?? 'A device that is not plugged in')} → {shown(one.guest)}
                </span>
                <span>
                  <Chip tone={tone}>{one.status}</Chip>{' '}
                  <span class="meta">
                    {shown(one.why ?? meaning)}
                    {one.mode !== 'auto' && ` · ${one.mode}`}
                  </span>
                </span>
                <code>{shown(one.rule)}</code>
              </div>
              {isAdmin && (
                <div class="actions">
                  <Button look="quiet" about={one.rule} onPress={() => operations.open(removeRule(one))}>
                    Remove…
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
