/** An inventory as a world: a host observed elsewhere, to be simulated. */

import { isHub } from '../kernel/drivers.js';
import {
  busOf,
  type DeviceSpec,
  interfaceName,
  type PortSpec,
  parentOf,
  portPathOf,
  USBBACK,
  USBFS,
} from '../kernel/index.js';
import { USE_NAMES } from '../kernel/uses.js';
import { checkControllers, checkDomains, completeDevices, completeDrivers } from './devices.js';
import { type CheckedInventory, definedUse, useSchema, type WorldFault } from './schema.js';
import { simType } from './types.js';
import type { World, WorldController, WorldDomain } from './world.js';

/** Completes a checked inventory. Throws what `fault` makes. */
export function fromInventory(inventory: CheckedInventory, fault: WorldFault): World {
  checkDomains(inventory.domains, fault);
  checkControllers(inventory.controllers, inventory.domains, fault);
  const served = servedDomids(inventory);
  const domains = inventory.domains
    .filter(({ domid }) => domid !== 0)
    .map((domain) => domainOf(inventory, domain, served.has(domain.domid)));
  const own = inventory.domains.find(({ domid }) => domid === 0);
  const { savedDrivers } = inventory;
  const named = namedToQemu(inventory, served);
  const isHeld = ({ interfaces }: CheckedInventory['devices'][number]) =>
    interfaces.some(({ driver }) => driver === USBFS);
  const devices = withPorts(
    inventory,
    completeDevices(
      inventory.devices.map((device, index) =>
        // QEMU takes what it holds again, from the driver that would have it.
        withUses(
          inventory,
          deviceOf(named.has(device.busid) ? withoutUsbfs(device) : device, index, inventory.usbback, fault),
          fault,
        ),
      ),
      fault,
    ),
  );
  return {
    usbback: inventory.usbback,
    devices,
    drivers: completeDrivers(undefined, devices, savedDrivers),
    domains,
    ...(own ? { dom0: domainZero(own) } : {}),
    asFound: true,
    controllers: inventory.controllers.map(controllerOf),
    savedDrivers,
    ...(inventory.ruleFiles === undefined ? {} : { ruleFiles: inventory.ruleFiles }),
    notOpened: inventory.devices
      .filter((device) => !isHeld(device))
      .map(({ busid }) => busid)
      .filter((busid) => named.has(busid)),
    orphanBackends: inventory.orphanBackends,
  };
}

/** What a device says about its socket, as its hub's. */
function withPorts({ devices }: CheckedInventory, specs: readonly DeviceSpec[]): DeviceSpec[] {
  const known = new Map<string, Record<string, PortSpec>>();
  for (const { busid, peer, connectType } of devices) {
    const hub = parentOf(busid);
    if (hub === undefined || (peer === undefined && connectType === undefined)) continue;
    const port = portPathOf(busid).split('.').at(-1)!;
    const spec = { ...(peer === undefined ? {} : { peer }), ...(connectType ? { connectType } : {}) };
    known.set(hub, { ...known.get(hub), [port]: spec });
  }
  return specs.map((spec) => {
    const ports = known.get(spec.busid);
    return ports === undefined ? spec : { ...spec, ports };
  });
}

function domainOf(
  { qemus }: CheckedInventory,
  { domid, name, type, alive, uuid, deviceModel }: CheckedInventory['domains'][number],
  isServed: boolean,
): WorldDomain {
  const lacks = lacking({ name, type, uuid });
  const isUsual = deviceModel === undefined || (deviceModel.running && deviceModel.qusb);
  return {
    domid,
    name: name ?? `guest${domid}`,
    type: type ?? 'pv',
    alive,
    driver: true,
    ...(uuid === undefined ? {} : { uuid }),
    ...(lacks.length === 0 ? {} : { lacks }),
    deviceModel: isServed,
    ...(isUsual ? {} : { announced: deviceModel }),
    ...(qemus?.some((qemu) => qemu.domid === domid && qemu.health === 'dead') ? { hasDeadQemu: true } : {}),
  };
}

/** Domain 0 has no type on a libxl host, and its uuid is not always written. */
function domainZero({
  name,
  type,
  uuid,
  deviceModel,
}: CheckedInventory['domains'][number]): NonNullable<World['dom0']> {
  return {
    name: name ?? '',
    type: type as WorldDomain['type'],
    ...(uuid === undefined ? {} : { uuid }),
    lacks: lacking({ name }),
    ...(deviceModel === undefined ? {} : { announced: deviceModel }),
  };
}

function lacking(said: Partial<Record<'name' | 'type' | 'uuid', string | undefined>>) {
  return (Object.keys(said) as (keyof typeof said)[]).filter((key) => said[key] === undefined);
}

/** Domains with a QEMU. An inventory that says nothing about QEMUs has one for each domain that needs it. */
function servedDomids({ domains, controllers, qemus }: CheckedInventory): Set<number> {
  const needs = (domid: number) =>
    controllers.some((controller) => controller.domid === domid && simType(controller.type)?.startsQemu);
  return new Set(
    domains
      .filter(
        ({ domid, type, alive, deviceModel }) =>
          alive && (deviceModel?.running ?? (qemus === undefined && (type === 'hvm' || needs(domid)))),
      )
      .map(({ domid }) => domid),
  );
}

/** Devices in ports of controllers that a QEMU serves. */
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

/** Stands for whichever driver takes an interface when it is plugged in; no driver has such a name. */
const AS_PLUGGED = '*';

const ROOT_HUB_INTERFACES = [{ number: 0, classes: '09/00/00' }];

function deviceOf(
  device: CheckedInventory['devices'][number],
  index: number,
  usbback: boolean,
  fault: WorldFault,
): DeviceSpec {
  const { busid, kind, bus, address, manufacturer, product, serial } = device;
  const hub = kind !== 'device';
  const configuration = Number(/:(\d{1,3})\.\d+$/.exec(device.interfaces[0]?.id ?? '')?.[1] ?? 1);
  if (hub !== (kind === 'root-hub' || isHub(device)))
    throw fault(`devices[${index}].kind`, 'does not match its classes');
  const interfaces = device.interfaces.map(({ id, number, classes, driver, unauthorized }, place) => {
    const field = `devices[${index}].interfaces[${place}]`;
    if (id !== interfaceName(busid, configuration, number))
      throw fault(`${field}.id`, `is not interface ${number} of ${busid}`);
    if (driver === USBBACK && !usbback)
      throw fault(`${field}.driver`, 'is usbback, which this host does not have');
    const given = { number, classes, ...(unauthorized ? { authorized: false } : {}) };
    return driver === AS_PLUGGED ? given : { ...given, driver: driver ?? null };
  });
  return {
    busid,
    vendorId: device.vendorId,
    productId: device.productId,
    deviceClass: device.deviceClass,
    speedMbps: device.speedMbps,
    address,
    configuration: device.unconfigured ? null : configuration,
    ...(bus === busOf(busid) ? {} : { bus }),
    ...(device.unauthorized ? { authorized: false } : {}),
    ...(device.sockets === undefined ? {} : { maxChild: device.sockets }),
    ...(device.descriptors === undefined ? {} : { descriptors: device.descriptors }),
    ...(manufacturer === undefined ? {} : { manufacturer: unescaped(manufacturer) }),
    ...(product === undefined ? {} : { product: unescaped(product) }),
    ...(serial === undefined ? {} : { serial: unescaped(serial) }),
    // An inventory leaves out a root hub's interface (`3-0:1.0`); the kernel has it.
    interfaces: interfaces.length === 0 && kind === 'root-hub' ? ROOT_HUB_INTERFACES : interfaces,
  };
}

/** What the host does with it. Of some uses other files tell: the driver `usbfs`. */
function withUses({ uses = [] }: CheckedInventory, device: DeviceSpec, fault: WorldFault): DeviceSpec {
  const own = uses.flatMap(({ busid, use, name, of }, index) => {
    if (busid !== device.busid || !(USE_NAMES as readonly string[]).includes(use)) return [];
    const spec = useSchema.safeParse({
      use,
      name: unescaped(name),
      ...(of === undefined ? {} : { of: unescaped(of) }),
    });
    if (!spec.success) throw fault(`uses[${index}]`, 'is not what a host does with a device');
    return spec.data;
  });
  return own.length === 0 ? device : { ...device, uses: own.map(definedUse) };
}

/** An inventory has a device's texts in printable form: `\\x1b` for the character, `\\\\` for a backslash. */
function unescaped(text: string): string {
  return text.replace(/\\(?:\\|x([0-9a-f]{2})|u\{([0-9a-f]{1,6})\})/g, (_, byte, code) =>
    byte === undefined && code === undefined ? '\\' : String.fromCodePoint(Number.parseInt(byte ?? code, 16)),
  );
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
