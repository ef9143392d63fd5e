/** Lists the USB devices of this host and who has each: `node examples/list-devices.ts` */
import { domainAt, observe, openHost, placesOf, portState } from 'pvusb';

await using host = await openHost();
const inventory = await observe(host);

for (const device of inventory.devices) {
  if (device.kind !== 'device') continue;
  const name = `${device.busid}  ${device.vendorId}:${device.productId}  ${device.product ?? ''}`;
  const [place] = placesOf(inventory, device.busid);
  if (place) {
    const { domid, devid } = place.controller;
    const guest = domainAt(inventory, domid)?.name ?? `domain ${domid}`;
    const state = portState(inventory, place);
    console.log(`${name}: ${guest}, port ${place.port.port} of controller ${devid} (${state})`);
  } else {
    const drivers = new Set(device.interfaces.flatMap(({ driver }) => driver ?? []));
    console.log(`${name}: ${drivers.size === 0 ? 'nobody' : `this host (${[...drivers].join(', ')})`}`);
  }
}
