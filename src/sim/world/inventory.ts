/** An inventory as a world: the host that someone else saw, to be played with. */
import { busOf, type DeviceSpec, interfaceName, USBBACK, USBFS } from '../kernel/index.js';
import { checkControllers, checkDomains, completeDevices, completeDrivers } from './devices.js';
import type { CheckedInventory, WorldFault } from './schema.js';
import { simType } from './types.js';
import type { World, WorldController, WorldDomain } from './world.js';

/** Completes a checked inventory. Throws what `fault` makes. */
export function fromInventory(inventory: CheckedInventory, fault: WorldFault): World {
  checkDomains(inventory.domains, fault);
  const served = servedDomids(inventory);
  const domains = inventory.domains
    .filter(({ domid }) => domid !== 0)
    .map(
      (domain): WorldDomain => ({
        domid: domain.domid,
        name: domain.name ?? `guest${domain.domid}`,
        type: domain.type ?? 'pv',
        alive: domain.alive,
        driver: true,
        ...(domain.uuid === undefined ? {} : { uuid: domain.uuid }),
        ...(served.has(domain.domid) ? { deviceModel: true } : {}),
      }),
    );
  checkControllers(inventory.controllers, domains, fault);
  const savedDrivers = inventory.savedDrivers.flatMap(({ busid, drivers }) =>
    drivers.flatMap(({ interface: intf, driver }) =>
      driver === undefined ? [] : [{ busid, interface: intf, driver }],
    ),
  );
  const named = namedToQemu(inventory, served);
  const isHeld = ({ interfaces }: CheckedInventory['devices'][number]) =>
    interfaces.some(({ driver }) => driver === USBFS);
  const devices = completeDevices(
    inventory.devices.map((device, index) =>
      // What QEMU holds it takes once more from the driver that would have it.
      deviceOf(named.has(device.busid) ? withoutUsbfs(device) : device, index, inventory.usbback, fault),
    ),
    fault,
  );
  return {
    usbback: inventory.usbback,
    devices,
    drivers: completeDrivers(undefined, devices, savedDrivers),
    domains,
    controllers: inventory.controllers.map(controllerOf),
    savedDrivers,
    notOpened: inventory.devices
      .filter((device) => !isHeld(device))
      .map(({ busid }) => busid)
      .filter((busid) => named.has(busid)),
    orphanBackends: inventory.orphanBackends,
  };
}

/** Domains with a QEMU. An inventory that does not say has one for each domain that needs it. */
function servedDomids({ domains, controllers }: CheckedInventory): Set<number> {
  const needs = (domid: number) =>
    controllers.some((controller) => controller.domid === domid && simType(controller.type)?.startsQemu);
  return new Set(
    domains
      .filter(
        ({ domid, type, alive, deviceModel }) =>
          alive && (deviceModel?.running ?? (type === 'hvm' || needs(domid))),
      )
      .map(({ domid }) => domid),
  );
}

/** Devices that stand in a port of a controller that a QEMU serves. */
function namedToQemu({ controllers }: CheckedInventory, served: ReadonlySet<number>): Set<string> {
  return new Set(
    controllers
      .filter(({ domid, type }) => served.has(domid) && simType(type)?.isOfQemu)
      .flatMap(({ ports }) => ports.flatMap(({ busid }) => busid ?? [])),
  );
}

function withoutUsbfs(device: CheckedInventory['devices'][number]): CheckedInventory['devices'][number] {
  const interfaces = device.interfaces.map((intf) =>
    intf.driver === USBFS ? { ...intf, driver: AS_PLUGGED } : intf,
  );
  return { ...device, interfaces };
}

/** Stands for whichever driver takes an interface when it is plugged in; no driver has a name like it. */
const AS_PLUGGED = '*';

const ROOT_HUB_INTERFACES = [{ number: 0, classes: '09/00/00' }];

function deviceOf(
  device: CheckedInventory['devices'][number],
  index: number,
  usbback: boolean,
  fault: WorldFault,
): DeviceSpec {
  const { busid, kind, bus, address, manufacturer, product, serial } = device;
  if (bus !== busOf(busid)) throw fault(`devices[${index}].bus`, `is not the bus of ${busid}`);
  const hub = kind !== 'device';
  const configuration = Number(/:(\d{1,3})\.\d+$/.exec(device.interfaces[0]?.id ?? '')?.[1] ?? 1);
  if (hub !== (device.deviceClass === '09'))
    throw fault(`devices[${index}].kind`, 'does not go with its deviceClass');
  const interfaces = device.interfaces.map(({ id, number, classes, driver }, place) => {
    const field = `devices[${index}].interfaces[${place}]`;
    if (id !== interfaceName(busid, configuration, number))
      throw fault(`${field}.id`, `is no interface ${number} of ${busid}`);
    if (driver === USBBACK && !usbback)
      throw fault(`${field}.driver`, 'is usbback, which this host does not have');
    if (driver === AS_PLUGGED) return { number, classes };
    return { number, classes, driver: driver ?? null };
  });
  return {
    busid,
    vendorId: device.vendorId,
    productId: device.productId,
    deviceClass: device.deviceClass,
    speedMbps: device.speedMbps,
    address,
    configuration,
    ...(hub ? { maxChild: 8 } : {}),
    ...(manufacturer === undefined ? {} : { manufacturer }),
    ...(product === undefined ? {} : { product }),
    ...(serial === undefined ? {} : { serial }),
    // An inventory leaves out a root hub's interface (`3-0:1.0`); the kernel has it.
    interfaces: interfaces.length === 0 && kind === 'root-hub' ? ROOT_HUB_INTERFACES : interfaces,
  };
}

function controllerOf(controller: CheckedInventory['controllers'][number]): WorldController {
  const { domid, devid, type, version, portCount, backendDomid, backend, frontend, backendState, online } =
    controller;
  const { state, eventChannel, urbRingRef, connRingRef } = controller.untrustedFrontend;
  const ports = new Map<number, string>();
  for (const { port, busid, untrustedJunk } of [...controller.ports, ...controller.strayPorts]) {
    const text = busid ?? untrustedJunk;
    if (text !== undefined) ports.set(port, text);
  }
  return {
    domid,
    devid,
    type,
    version,
    portCount,
    backendDomid,
    ...(backend === undefined ? {} : { backend }),
    ...(frontend === undefined ? {} : { frontend }),
    ...(backendState === undefined ? {} : { backendState }),
    online,
    ...(state === undefined ? {} : { frontendState: state }),
    ...(eventChannel === undefined ? {} : { eventChannel }),
    ...(urbRingRef === undefined ? {} : { urbRingRef }),
    ...(connRingRef === undefined ? {} : { connRingRef }),
    ports,
  };
}
