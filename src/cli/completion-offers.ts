/** What a host has that may be named on a command line: domains and devices, with what they stand for. */
import { describeHolder, whyNotAttachable } from '../commands/index.js';
import { deviceAt, type Inventory, livingGuests, nameDomain, parseVirtualName } from '../pvusb/index.js';
import { describeDevice } from '../sysfs/index.js';

/** A word to offer and what it stands for. */
export interface Offer {
  readonly value: string;
  readonly description: string;
}

/** A domain's name that neither a shell nor pvusb takes for anything else. */
const PLAIN_NAME = /^(?!\d+$)[\w.+][\w.+-]*$/;

/** A virtual device's name that no shell takes for anything else. */
const PLAIN_VIRTUAL = /^[a-z][\w:./+-]*$/;

/** The guests. */
export function describeDomains(inventory: Inventory): Offer[] {
  return livingGuests(inventory).map(({ domid, name, type }) => ({
    // A name that a shell would take for something else, or pvusb for a number, is no use on a command line.
    value: name !== undefined && PLAIN_NAME.test(name) ? name : `${domid}`,
    description: `domain ${domid}, ${type ?? 'guest'}`,
  }));
}

/** All devices that are plugged in. */
export function describePlugged(inventory: Inventory): Offer[] {
  return inventory.devices.map((device) => ({ value: device.busid, description: describeDevice(device) }));
}

/** The devices that can be lent. */
export function describeFree(inventory: Inventory): Offer[] {
  const devices = inventory.devices.filter((device) => whyNotAttachable(inventory, device) === undefined);
  return describePlugged({ ...inventory, devices });
}

/** The devices that guests have, and virtual ones. */
export function describeLent(inventory: Inventory): Offer[] {
  const lentIds = new Set(
    inventory.controllers.flatMap(({ ports }) => ports.flatMap(({ busid }) => busid ?? [])),
  );
  const lent = [...lentIds].map((busid) => {
    const device = deviceAt(inventory, busid);
    const description = device
      ? `${describeDevice(device)} in ${describeHolder(inventory, device)}`
      : 'missing';
    return { value: busid, description };
  });
  return [...lent, ...describeVirtual(inventory)];
}

function describeVirtual(inventory: Inventory): Offer[] {
  return inventory.controllers.flatMap(({ domid, ports }) => {
    const guest = nameDomain(inventory, domid);
    return ports.flatMap(({ virtual }) =>
      virtual === undefined || !PLAIN_VIRTUAL.test(virtual) || parseVirtualName(virtual) === undefined
        ? []
        : { value: virtual, description: `virtual device in ${guest}` },
    );
  });
}
