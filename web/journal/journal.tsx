/** What happened, the latest first. */
import { useSignal } from '@preact/signals';
import { shown } from '../model/format.js';
import { useApp } from '../parts/app.js';
import { Button, Empty } from '../parts/button.js';

/** Lines that are shown at first. */
const SHOWN = 12;

const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** The panel of the journal. */
/** The panel. */
export function Journal() {
  const isWhole = useSignal(false);
  const lines = useApp().store.journal.value;
  return (
    <section class="panel" id="journal" aria-labelledby="journal-title" tabIndex={-1}>
      <header class="panel-head">
        <h2 id="journal-title">Journal</h2>
      </header>
      {lines.length === 0 ? (
        <Empty>
          Nothing has happened since this page was opened. Devices plugged in and out, guests and operations
          are listed here.
        </Empty>
      ) : (
        <ol class="journal">
          {lines.slice(0, isWhole.value ? undefined : SHOWN).map(({ key, time, tone, text }) => (
            <li key={key} class={tone}>
              <time dateTime={time.toISOString()}>{TIME.format(time)}</time> <span>{shown(text)}</span>
            </li>
          ))}
        </ol>
      )}
      {lines.length > SHOWN && !isWhole.value && (
        <Button look="quiet" onPress={() => (isWhole.value = true)}>
          Show all {lines.length}
        </Button>
      )}
    </section>
  );
}
