/** The host as it will be after a plan, so that the next one can be made before the first is carried out. Pure. */
import type { Busid, DriverName, UsbDevice } from '../../sysfs/index.js';
import { allPorts, findControllerOf, savedFor } from '../model/find.js';
import {
  type Controller,
  type Inventory,
  type OwnBackend,
  type QemuAnswer,
  XenbusState,
} from '../model/inventory.js';
import { type ControllerId, frontendPath, PortState, portPath } from '../model/layout.js';
import type { NewController, Target } from '../model/request.js';
import { portsAtOf, servedType, servedTypeOn } from '../types/types.js';

/** With a controller that is served but not yet used by the guest. */
export function withController(inventory: Inventory, controller: NewController): Inventory {
  const { domid, devid, type, version, ports } = controller;
  const { backend, isEmulated } = servedType(type);
  const hasBackend = backend !== undefined;
  const portsAt = portsAtOf(controller);
  const added: Controller = {
    domid,
    devid,
    type,
    version,
    portCount: ports,
    backendDomid: 0,
    ...(hasBackend
      ? { backend: portsAt, frontend: frontendPath(controller), backendState: XenbusState.initWait }
      : {}),
    portsAt,
    online: true,
    untrustedFrontend: hasBackend ? { state: XenbusState.initialising } : {},
    ports: Array.from({ length: ports }, (_, k) => ({ port: k + 1 })),
    strayPorts: [],
  };
  const controllers = [...inventory.controllers, added].sort(
    (a, b) => a.domid - b.domid || a.devid - b.devid,
  );
  const emulates = (qemu: QemuAnswer): QemuAnswer => ({ ...qemu, controllers: [...qemu.controllers, devid] });
  return isEmulated
    ? { ...inventory, controllers, qemus: changed(inventory, domid, emulates) }
    : { ...inventory, controllers };
}

/** Without a controller, and what it had. */
export function withoutController(inventory: Inventory, controller: Controller): Inventory {
  const { domid, devid } = controller;
  const left = allPorts(controller).reduce(
    (seen, { port }) => withoutDevice(seen, { domid, devid, port }),
    inventory,
  );
  const forget = (qemu: QemuAnswer): QemuAnswer => ({
    ...qemu,
    controllers: qemu.controllers.filter((other) => other !== devid),
  });
  return {
    ...left,
    controllers: left.controllers.filter((other) => other.domid !== domid || other.devid !== devid),
    qemus: changed(left, domid, forget),
  };
}

/** With a device in a port, off the host's drivers. */
export function withDevice(inventory: Inventory, device: UsbDevice, target: Target): Inventory {
  const { domid, devid, port, type } = target;
  const { busid } = device;
  const seen = target.created ? withController(inventory, target.created) : inventory;
  const { isOfQemu, lentDriver } = servedTypeOn(inventory, type);
  const has = (qemu: QemuAnswer): QemuAnswer =>
    !isOfQemu
      ? qemu
      : { ...qemu, devices: [...qemu.devices, { type, devid, port, socket: busid, open: true }] };
  return {
    ...seen,
    controllers: withPort(seen, target, busid),
    devices: withDrivers(seen, busid, () => lentDriver),
    // What was saved for another device in that socket is gone then; what is saved for this one makes no difference.
    savedDrivers: seen.savedDrivers.filter((saved) => saved.busid !== busid),
    qemus: changed(seen, domid, has),
    ...(seen.backend ? { backend: showing(seen.backend, target, PortState.opened) } : {}),
  };
}

/** With nothing in a port, and its device back on the host's drivers. */
export function withoutDevice(
  inventory: Inventory,
  place: ControllerId & { readonly port: number },
): Inventory {
  const { domid, devid, port } = place;
  const controller = findControllerOf(inventory, place);
  const busid = controller && allPorts(controller).find((other) => other.port === port)?.busid;
  const at = controller?.portsAt === undefined ? undefined : portPath(controller.portsAt, port);
  const freed = {
    ...inventory,
    controllers: withPort(inventory, place, undefined),
    // An interrupted detach of this port is then finished.
    savedDrivers: inventory.savedDrivers.filter(({ origin }) => origin === undefined || origin !== at),
  };
  if (busid === undefined) return freed;
  const saved = savedFor(inventory, busid)?.drivers;
  const driverOf = (id: string): DriverName | undefined =>
    saved?.find((other) => other.interface === id)?.driver;
  const lets = (qemu: QemuAnswer): QemuAnswer => ({
    ...qemu,
    devices: qemu.devices.filter((device) => device.devid !== devid || device.port !== port),
  });
  return {
    ...freed,
    devices: withDrivers(freed, busid, driverOf),
    savedDrivers: freed.savedDrivers.filter((other) => other.busid !== busid),
    qemus: changed(freed, domid, lets),
  };
}

/** What our own backend shows of a port. What it showed of ports that are empty by now nobody asks for. */
function showing(
  { ports }: OwnBackend,
  { domid, devid, port }: ControllerId & { readonly port: number },
  state: PortState,
): OwnBackend {
  const others = ports.filter(
    (other) => other.domid !== domid || other.devid !== devid || other.port !== port,
  );
  return { ports: [...others, { domid, devid, port, state }] };
}

function changed(
  { qemus }: Inventory,
  domid: number,
  change: (qemu: QemuAnswer) => QemuAnswer,
): readonly QemuAnswer[] {
  return qemus.map((qemu) => (qemu.domid === domid ? change(qemu) : qemu));
}

function withPort(
  { controllers }: Inventory,
  { domid, devid, port }: ControllerId & { readonly port: number },
  busid: Busid | undefined,
): Controller[] {
  const filled = { port, ...(busid === undefined ? {} : { busid }) };
  return controllers.map((controller) =>
    controller.domid !== domid || controller.devid !== devid
      ? controller
      : {
          ...controller,
          ports: controller.ports.map((other) => (other.port === port ? filled : other)),
          strayPorts: controller.strayPorts.filter((other) => other.port !== port),
        },
  );
}

function withDrivers(
  { devices }: Inventory,
  busid: Busid,
  driverOf: (id: string) => DriverName | undefined,
): UsbDevice[] {
  return devices.map((device) =>
    device.busid !== busid
      ? device
      : {
          ...device,
          interfaces: device.interfaces.map(({ driver: _, ...intf }) => {
            const driver = driverOf(intf.id);
            return driver === undefined ? intf : { ...intf, driver };
          }),
        },
  );
}
