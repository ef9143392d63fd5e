/** The guests, their controllers, and the ports of those as sockets. */
import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { move, portOf, takeBack } from '../model/actions.js';
import { counted, kindOf, portTrouble, shown } from '../model/format.js';
import { guestText, isFound } from '../model/tree.js';
import { type Controller, type Guest, guestName, type Port } from '../model/view.js';
import { useApp, useRole } from '../parts/app.js';
import { Button, Chip, Empty, Search } from '../parts/button.js';
import { type Dragged, useDrag, useDrop } from '../parts/drag.js';
import { Icon } from '../parts/icon.js';

/** The panel of the guests. */
export function Guests() {
  const { store } = useApp();
  const isOperator = useRole('operator');
  const words = useSignal('');
  const { guests } = store.view.value;
  const found = guests.filter((guest) => words.value === '' || isFound(guestText(guest), words.value));
  return (
    <section class="panel guests" id="guests" aria-labelledby="guests-title" tabIndex={-1}>
      <header class="panel-head">
        <h2 id="guests-title">Guests</h2>
        <span class="count">{counted(guests.length, 'guest')}</span>
        <Search label="Find a guest" value={words.value} onInput={(now) => (words.value = now)} />
      </header>
      {store.isLoaded.value && guests.length === 0 && (
        <Empty>
          No guest is running. Start one with <code>xl create</code>: it appears here at once, and devices can
          be given to it.
        </Empty>
      )}
      <ul class="guest-list">
        {found.map((guest) => (
          <GuestPart key={guest.domid} guest={guest} isOperator={isOperator} />
        ))}
      </ul>
    </section>
  );
}

function GuestPart({ guest, isOperator }: { readonly guest: Guest; readonly isOperator: boolean }) {
  const { store, operations } = useApp();
  const dropped = ({ busid, from }: Dragged, on: Element): void => {
    const [devid, port] = (on.getAttribute('data-port') ?? '').split(' ').map(Number);
    const place = port === undefined ? {} : { devid, port };
    const giving = { busid, domid: guest.domid, ...place };
    if (!from) operations.openGiving(giving);
    else if (from.domid !== guest.domid || port !== undefined)
      operations.open(move(store.view.value, from, giving));
  };
  const card = useDrop<HTMLLIElement>('[data-port]', isOperator && guest.alive ? dropped : undefined);
  return useMemo(() => {
    const title = `guest-${guest.domid}`;
    return (
      <li ref={card} class="guest" aria-labelledby={title} data-domid={guest.domid}>
        <h3 id={title}>
          <Icon of="guest" />
          <span class="name">{shown(guestName(guest))}</span>
          <span class="meta">
            {`domain ${guest.domid}`}
            {guest.type && ` · ${guest.type}`}
          </span>
          {!guest.alive && <Chip tone="bad">gone, records left over</Chip>}
        </h3>
        {guest.controllers.length === 0 && (
          <p class="nothing">No USB controller yet: one is added with the first device.</p>
        )}
        {guest.controllers.map((controller) => (
          <ControllerPart
            key={controller.devid}
            guest={guest}
            controller={controller}
            isOperator={isOperator}
          />
        ))}
      </li>
    );
  }, [guest, isOperator]);
}

interface OfGuest {
  readonly guest: Guest;
  readonly controller: Controller;
  readonly isOperator: boolean;
}

function ControllerPart({ guest, controller, isOperator }: OfGuest) {
  const { devid, type, version, ports } = controller;
  const taken = ports.filter(
    ({ busid, virtual, untrustedJunk }) =>
      busid !== undefined || virtual !== undefined || untrustedJunk !== undefined,
  );
  const free = ports.filter((port) => !taken.includes(port));
  return (
    <div class="controller">
      <p class="controller-head">
        Controller {devid}
        <span class="meta">
          {' '}
          {type} · USB {version}
        </span>
      </p>
      <ul class="ports">
        {taken.map((port) => (
          <PortPart key={port.port} {...{ guest, controller, port, isOperator }} />
        ))}
        {free.length > 0 && (
          <li class="free">
            <span class="meta">{free.length === 1 ? 'free port ' : 'free ports '}</span>
            {free.map(({ port }) => (
              <span key={port} class="free-port" data-port={`${devid} ${port}`}>
                {port}{' '}
              </span>
            ))}
          </li>
        )}
      </ul>
    </div>
  );
}

function PortPart({ guest, controller, port, isOperator }: OfGuest & { readonly port: Port }) {
  const { store, operations } = useApp();
  const { busid, device } = port;
  const at = busid === undefined ? undefined : portOf({ guest, controller, port });
  const row = useDrag(isOperator && at && device ? { busid: at.busid, from: at } : undefined);
  const trouble = portTrouble(port);
  const known = store.view.value.devices.find((one) => one.busid === busid);
  const gone = store.view.value.gone.find((one) => one.busid === busid);
  const name = known?.name ?? gone?.name ?? busid ?? port.virtual ?? 'something that is not a device';
  return (
    <li class="port">
      <div
        ref={row}
        class={`row${device && isOperator ? ' can-drag' : ''}${device || port.virtual ? '' : ' absent'}`}
        data-busid={busid}
      >
        <span class="port-number">
          <span class="unseen">port </span>
          {port.port}
        </span>
        <Icon of={!device && !port.virtual ? 'unplugged' : known ? kindOf(known).kind : 'usb'} />
        <div class="what">
          <span class="name">{shown(name)}</span>
          <span class="meta">
            {busid ? `from socket ${busid}` : shown(port.untrustedJunk ?? (port.virtual ? 'virtual' : ''))}
          </span>
          {trouble && <Chip tone="wait">{trouble.word}</Chip>}
        </div>
        {isOperator && at && (
          <div class="actions">
            <Button
              look="quiet"
              about={`${name}, ${guestName(guest)}`}
              onPress={() => operations.open(takeBack(store.view.value, at))}
            >
              {device ? 'Take back…' : 'Free port…'}
            </Button>
          </div>
        )}
      </div>
    </li>
  );
}
