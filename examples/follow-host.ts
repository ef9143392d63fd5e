/** Prints what changes on this host, whoever changes it, until Ctrl-C: `node examples/follow-host.ts` */
import { followHost, type InventoryChange, livingGuests, openHost } from 'pvusb';

const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());

await using host = await openHost();
await followHost(host, {
  signal: interrupted.signal,
  onStart(inventory) {
    const devices = inventory.devices.filter(({ kind }) => kind === 'device');
    console.log(
      `Following a host with ${devices.length} devices and ${livingGuests(inventory).length} guests.`,
    );
  },
  onChange(change) {
    const sentence = describe(change);
    if (sentence !== undefined) console.log(sentence);
  },
});

/** A change as a sentence. The others concern controllers and what the toolstack stores. */
function describe(change: InventoryChange): string | undefined {
  switch (change.change) {
    case 'device-plugged':
      return `${change.device.busid} (${change.device.product ?? 'unnamed'}) was plugged in`;
    case 'device-unplugged':
      return `${change.device.busid} was pulled out`;
    case 'attached':
      return `domain ${change.domid} has ${change.busid}, in port ${change.port} of controller ${change.devid}`;
    case 'detached':
      return `domain ${change.domid} no longer has ${change.busid}`;
    case 'domain-appeared':
      return `domain ${change.domain.domid} (${change.domain.name ?? 'unnamed'}) is here`;
    case 'domain-gone':
      return `domain ${change.domain.domid} is gone`;
    default:
      return undefined;
  }
}
