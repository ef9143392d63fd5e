/** What the host would lose. */
import { shown } from '../model/format.js';
import { useApp } from '../parts/app.js';

/** The driver that lets go of the device, and what the host does with it. */
export function Losses() {
  const { store, operations } = useApp();
  const giving = operations.giving.value;
  const device = giving && store.view.value.devices.find(({ busid }) => busid === giving.busid);
  if (!device) return null;
  const { usedBy, uses = [] } = device;
  const lines = [
    ...(usedBy === '-' ? [] : [`its driver ${usedBy} releases it`]),
    ...uses.map(({ sentence }) => sentence.replace(/\.$/, '')),
  ];
  return (
    <section class="losses" aria-labelledby="losses-title">
      <h3 id="losses-title">What the host loses</h3>
      {lines.length === 0 ? (
        <p>Nothing: the host does not use it.</p>
      ) : (
        <ul>
          {lines.map((line) => (
            <li key={line}>{shown(line)}</li>
          ))}
        </ul>
      )}
    </section>
  );
}
