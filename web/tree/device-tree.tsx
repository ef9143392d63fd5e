/** The host's USB tree: controllers, hubs, and what is in their sockets. */
import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { takeBack } from '../model/actions.js';
import { counted, formatSpeed, shown, socketRanges } from '../model/format.js';
import { type Bus, matches, type Node } from '../model/tree.js';
import { useApp, useRole } from '../parts/app.js';
import { Empty, Search } from '../parts/button.js';
import { useDrop } from '../parts/drag.js';
import { Icon } from '../parts/icon.js';
import { SocketRow } from './socket-row.js';

/** The panel of the host's devices. What is dropped here comes back to the host. */
export function DeviceTree() {
  const { store, operations } = useApp();
  const isOperator = useRole('operator');
  const words = useSignal('');
  const { devices } = store.view.value;
  const count = devices.filter(({ kind }) => kind === 'device').length;
  const dropped = isOperator
    ? ({ from }: { readonly from?: Parameters<typeof takeBack>[1] | undefined }) => {
        if (from) operations.open(takeBack(store.view.value, from));
      }
    : undefined;
  const panel = useDrop<HTMLElement>(undefined, dropped);
  return (
    <section ref={panel} class="panel host" id="devices" aria-labelledby="devices-title" tabIndex={-1}>
      <header class="panel-head">
        <h2 id="devices-title">This host</h2>
        <span class="count">{counted(count, 'device')}</span>
        <Search label="Find a device" value={words.value} onInput={(now) => (words.value = now)} />
      </header>
      {store.isLoaded.value && count === 0 && (
        <Empty>
          No USB device is plugged in. Plug one in: it appears here at once and can be given to a guest.
        </Empty>
      )}
      {store.tree.value.map((bus) => (
        <BusPart key={bus.bus} bus={bus} words={words.value} isOperator={isOperator} />
      ))}
    </section>
  );
}

interface Shown {
  readonly words: string;
  readonly isOperator: boolean;
}

function BusPart({ bus, words, isOperator }: Shown & { readonly bus: Bus }) {
  return useMemo(() => {
    const { root, children, free } = bus;
    const found = children.filter((node) => words === '' || matches(node, words));
    if (words !== '' && found.length === 0) return null;
    const title = `bus-${bus.bus}`;
    return (
      <section class="bus" aria-labelledby={title}>
        <h3 id={title}>
          <Icon of="controller" />
          Bus {bus.bus}
          <span class="meta">
            {root ? ` ${shown(root.name)}${root.speedMbps ? `, ${formatSpeed(root.speedMbps)}` : ''}` : ''}
          </span>
        </h3>
        {found.length === 0 && <p class="nothing">Nothing is plugged in.</p>}
        <Sockets nodes={found} free={words === '' ? free : []} words={words} isOperator={isOperator} />
      </section>
    );
  }, [bus, words, isOperator]);
}

function Sockets({
  nodes,
  free,
  words,
  isOperator,
}: Shown & { readonly nodes: readonly Node[]; readonly free: readonly string[] }) {
  if (nodes.length === 0 && free.length === 0) return null;
  return (
    <ul class="sockets">
      {nodes.map((node) => (
        <SocketPart key={node.busid} node={node} words={words} isOperator={isOperator} />
      ))}
      {free.length > 0 && (
        <li class="free-sockets">
          <span class="meta">
            {free.length === 1 ? 'free socket' : 'free sockets'} {socketRanges(free)}
          </span>
        </li>
      )}
    </ul>
  );
}

function SocketPart({ node, words, isOperator }: Shown & { readonly node: Node }) {
  return useMemo(() => {
    const found = node.children.filter((child) => words === '' || matches(child, words));
    return (
      <li class="socket">
        <SocketRow node={node} isOperator={isOperator} />
        <Sockets nodes={found} free={words === '' ? node.free : []} words={words} isOperator={isOperator} />
      </li>
    );
  }, [node, words, isOperator]);
}
