/** The hand-written form of a world, completed. */

import { isHub } from '../kernel/drivers.js';
import { type DeviceSpec, isRootHub, USBBACK } from '../kernel/index.js';
import { checkControllers, checkDomains, completeDevices, completeDrivers, savedFor } from './devices.js';
import type { ShortWorld, WorldFault } from './schema.js';
import { type SimType, simType } from './types.js';
import type { World, WorldController, WorldDomain, WorldSavedDrivers } from './world.js';

/** Completes a checked short form. Throws what `fault` makes. */
export function fromShort(short: ShortWorld, fault: WorldFault): World {
  const domains = short.domains.map((domain): WorldDomain => {
    const { hostile, uuid, deviceModel = needsModel(short, domain.domid), ...rest } = domain;
    return {
      ...rest,
      name: domain.name ?? `guest${domain.domid}`,
      ...(hostile === undefined ? {} : { hostile }),
      ...(uuid === undefined ? {} : { uuid }),
      ...(deviceModel === undefined ? {} : { deviceModel }),
    };
  });
  checkDomains(domains, fault);
  checkControllers(short.controllers, domains, fault);
  const plugged = completeDevices(short.devices.map(deviceOf), fault);
  const drivers = completeDrivers(short.drivers, plugged, []);
  const lent = lentDevices(short, plugged, fault);
  const savedDrivers: WorldSavedDrivers[] = [];
  const devices = plugged.map((device) => {
    if (!lent.get(device.busid)?.isOfUsbback) return device;
    savedDrivers.push(savedFor(drivers, device));
    return { ...device, interfaces: device.interfaces.map((intf) => ({ ...intf, driver: USBBACK })) };
  });
  return {
    usbback: short.usbback,
    devices,
    drivers,
    domains,
    controllers: short.controllers.map(controllerOf),
    savedDrivers,
    orphanBackends: [],
  };
}

/** libxl starts a QEMU for a domain with controllers of type qusb. */
function needsModel(short: ShortWorld, domid: number): true | undefined {
  return (
    short.controllers.some((other) => other.domid === domid && simType(other.type)?.startsQemu) || undefined
  );
}

function portsOf({ type, version, ports }: ShortWorld['controllers'][number]): number {
  return ports ?? simType(type)!.usualPorts(version);
}

function deviceOf(device: ShortWorld['devices'][number]): DeviceSpec {
  const { id, class: classes, speed, release, interfaces, configured = true, ...rest } = device;
  const [deviceClass = '00', deviceSubClass = '00', deviceProtocol = '00'] = classes.split('/');
  const hub = isRootHub(device.busid) || deviceClass === '09';
  const isUsable = configured && (rest.authorized ?? true);
  const usual = interfaces.length === 0 && hub ? ['09/00/00'] : interfaces;
  // The kernel creates no interfaces for a device that it does not configure (`hub.c: usb_new_device`).
  const given = isUsable ? usual : [];
  return {
    ...defined(rest),
    busid: device.busid,
    vendorId: id.slice(0, 4),
    productId: id.slice(5),
    deviceClass: hub ? '09' : deviceClass,
    deviceSubClass,
    deviceProtocol,
    speedMbps: speed,
    ...(isUsable ? {} : { configuration: null }),
    ...(release === undefined ? {} : { bcdDevice: release }),
    ...(hub && rest.maxChild === undefined ? { maxChild: 4 } : {}),
    interfaces: given.map((intf, index) => {
      if (typeof intf === 'string') return { number: index, classes: intf };
      const { number = index, driver, authorized } = intf;
      return {
        number,
        classes: intf.classes,
        ...(driver === undefined ? {} : { driver }),
        ...(authorized === undefined ? {} : { authorized }),
      };
    }),
  };
}

/** A copy without the undefined fields. */
function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

/** Which device is lent through which type of controller. */
function lentDevices(
  short: ShortWorld,
  devices: readonly DeviceSpec[],
  fault: WorldFault,
): Map<string, SimType> {
  const lent = new Map<string, SimType>();
  const names = new Map(devices.map((device) => [device.busid, device]));
  for (const [index, controller] of short.controllers.entries()) {
    const type = simType(controller.type)!;
    if (type.isOfUsbback && !short.usbback) {
      throw fault(`controllers[${index}].type`, `is ${controller.type}, but the world has no usbback`);
    }
    for (const [port, busid] of Object.entries(controller.devices)) {
      const field = `controllers[${index}].devices["${port}"]`;
      if (Number(port) > portsOf(controller)) throw fault(field, 'is not a port of the controller');
      if (lent.has(busid)) throw fault(field, 'is also in another port');
      const device = names.get(busid);
      if (device && isHub(device)) throw fault(field, 'is a hub');
      lent.set(busid, type);
    }
  }
  return lent;
}

/** A new controller: the drivers of host and guest connect it when the world begins. */
function controllerOf(controller: ShortWorld['controllers'][number]): WorldController {
  const { domid, devid, type, version, devices } = controller;
  const inXenstore = simType(type)?.backend !== undefined;
  return {
    domid,
    devid,
    type,
    version,
    portCount: portsOf(controller),
    backendDomid: 0,
    ...(inXenstore ? { backendState: 1, frontendState: 1 } : {}),
    online: true,
    ports: new Map(Object.entries(devices).map(([port, busid]) => [Number(port), busid])),
  };
}
