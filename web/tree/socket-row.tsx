/** What is in a socket: the device, who has it, and what can be done with it. */
import { alwaysGive, portOf, takeBack } from '../model/actions.js';
import { formatSpeed, kindOf, portTrouble, shown } from '../model/format.js';
import type { Node } from '../model/tree.js';
import { type Device, guestName } from '../model/view.js';
import { useApp, useRole } from '../parts/app.js';
import { Button, Chip } from '../parts/button.js';
import { useDrag } from '../parts/drag.js';
import { Icon } from '../parts/icon.js';

/** A row of the tree. */
export function SocketRow({ node, isOperator }: { readonly node: Node; readonly isOperator: boolean }) {
  const { busid, socket, device, gone, place } = node;
  const isFree = device !== undefined && !place && canBeGiven(device);
  const dragged =
    !isOperator || !device
      ? undefined
      : place
        ? { busid, from: portOf(place) }
        : isFree
          ? { busid }
          : undefined;
  const row = useDrag(dragged);
  const { kind, word } =
    device || gone ? kindOf((device ?? gone)!) : { kind: 'usb' as const, word: 'device' };
  const trouble = place && portTrouble(place.port);
  const name = device?.name ?? gone?.name ?? place?.port.device?.product ?? busid;
  return (
    <div ref={row} class={`row${device ? '' : ' absent'}${dragged ? ' can-drag' : ''}`} data-busid={busid}>
      <Icon of={device ? kind : 'unplugged'} />
      <div class="what">
        <span class="head-line">
          <span class="name">{shown(name)}</span> <Holder node={node} />
        </span>
        <span class="meta">
          socket {socket} · {word}
          {device && ` · ${device.vendorId}:${device.productId}`}
          {device?.serial && ` · ${shown(device.serial)}`}
          {device && device.speedMbps > 0 && ` · ${formatSpeed(device.speedMbps)}`}
          {device && !place && device.kind === 'device' && (
            <>
              {' '}
              ·{' '}
              <span class="whole">
                {device.usedBy === '-' ? 'no driver has it' : `used by ${shown(device.usedBy)}`}
              </span>
            </>
          )}
        </span>
        {trouble && <span class="why">{`${trouble.word}: ${trouble.why}`}</span>}
        {place?.port.forced !== undefined && (
          <span class="why">lent although the host needs it: {shown(place.port.forced)}</span>
        )}
      </div>
      {isOperator && <Actions node={node} name={name} isFree={isFree} />}
    </div>
  );
}

/** Also what the host needs: the dialog says what for, and an admin may have a reason. */
function canBeGiven({ assignable, uses = [] }: Device): boolean {
  return assignable || uses.some(({ grade }) => grade === 'refuse');
}

function Holder({ node: { device, place } }: { readonly node: Node }) {
  if (place)
    return (
      <Chip tone={portTrouble(place.port) ? 'wait' : 'good'}>
        {shown(guestName(place.guest))}, port {place.port.port}
      </Chip>
    );
  if (!device) return <Chip tone="still">pulled out</Chip>;
  if (device.kind !== 'device' || device.reason === undefined) return null;
  return <Chip tone="still">stays here: {shown(device.reason)}</Chip>;
}

function Actions({
  node,
  name,
  isFree,
}: {
  readonly node: Node;
  readonly name: string;
  readonly isFree: boolean;
}) {
  const { store, operations } = useApp();
  const isAdmin = useRole('admin');
  const { busid, device, place } = node;
  if (isFree)
    return (
      <div class="actions">
        <Button about={name} onPress={() => operations.openGiving({ busid })}>
          Give to…
        </Button>
      </div>
    );
  if (!place) return null;
  const at = portOf(place);
  const isAlways = store.view.value.assignments.some((one) => one.busid === busid && one.domid === at.domid);
  return (
    <div class="actions">
      {isAdmin && device && !isAlways && (
        <Button look="quiet" about={name} onPress={() => operations.open(alwaysGive(store.view.value, at))}>
          Always…
        </Button>
      )}
      <Button about={name} onPress={() => operations.open(takeBack(store.view.value, at))}>
        {device ? 'Take back…' : 'Free port…'}
      </Button>
    </div>
  );
}
