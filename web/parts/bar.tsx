/** The head of the page, and the line at its foot that says what was done last. */
import { shown } from '../model/format.js';
import { useApp } from './app.js';
import { Button, Chip } from './button.js';
import { Icon } from './icon.js';

/** Who is here, and whether what is shown is up to date. */
export function Head() {
  const { store, signOut } = useApp();
  const self = store.self.value;
  return (
    <header class="head">
      <h1>
        <Icon of="usb" /> pvusb
      </h1>
      <nav aria-label="Parts of the page">
        <a href="#devices">Devices</a>
        <a href="#guests">Guests</a>
        <a href="#assignments">Always</a>
        <a href="#findings">Doctor</a>
        <a href="#journal">Journal</a>
      </nav>
      <div class="state" role="status">
        <State />
      </div>
      {self && (
        <span class="self">
          {shown(self.name)} <span class="meta">({self.role})</span>
        </span>
      )}
      <Button look="quiet" onPress={signOut}>
        Sign out
      </Button>
    </header>
  );
}

function State() {
  const { store } = useApp();
  const { value: connection } = store.connection;
  if (connection.is === 'connecting') return <Chip tone="still">connecting</Chip>;
  if (connection.is !== 'live') return <Chip tone="bad">not connected, trying again</Chip>;
  if (store.service.value === 'unreachable')
    return <Chip tone="bad">xenstored does not answer, trying again</Chip>;
  if (store.service.value === 'starting') return <Chip tone="wait">starting</Chip>;
  return <Chip tone="good">live</Chip>;
}

/** What was done last, with its undo. */
export function Foot() {
  const { operations } = useApp();
  const last = operations.last.value;
  const isShown = last !== undefined && !operations.isOpen.value;
  return (
    <div class={isShown ? 'foot' : 'foot empty-foot'} role="status">
      {isShown && (
        <>
          <Icon of={last.isFailure ? 'failed' : 'done'} />
          <span class="foot-text">{shown(last.sentence)}</span>
          {last.undo && <Button onPress={() => operations.open(last.undo!)}>Undo…</Button>}
          <Button look="quiet" onPress={() => operations.forget()}>
            Dismiss
          </Button>
        </>
      )}
    </div>
  );
}
