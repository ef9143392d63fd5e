/**
 * What an event changes in what is shown, at once: the daemon is asked for everything else (who may have it, what the
 * host does with it) right after. Pure.
 */
import type { StreamEvent } from '../../src/api/index.js';
import { classesOf, deviceName } from './format.js';
import type { Controller, Device, Gone, Guest, Port, View } from './view.js';

/** A difference between two looks at the host. */
export type Change = Extract<StreamEvent, { readonly event: 'change' }>['change'];

/** How many unplugged devices are remembered. */
const GONE_MAX = 20;

/** The view after a change; the same object when nothing that is shown has changed. */
export function applyChange(view: View, change: Change): View {
  switch (change.change) {
    case 'device-plugged':
      return plugged(view, change.device);
    case 'device-unplugged':
      return unplugged(view, change.device);
    case 'device-changed':
      return {
        ...view,
        devices: view.devices.map((one) =>
          one.busid === change.now.busid ? { ...one, ...change.now } : one,
        ),
      };
    case 'domain-appeared':
    case 'domain-changed': {
      const domain = change.change === 'domain-appeared' ? change.domain : change.now;
      if (domain.domid === 0) return view;
      const before = view.guests.find(({ domid }) => domid === domain.domid);
      return { ...view, guests: put(view.guests, { ...domain, controllers: before?.controllers ?? [] }) };
    }
    case 'domain-gone':
      return { ...view, guests: view.guests.filter(({ domid }) => domid !== change.domain.domid) };
    case 'controller-added':
      return withController(view, change.controller);
    case 'controller-changed':
      return withController(view, change.now);
    case 'controller-removed':
      return ofGuest(view, change.controller.domid, (controllers) =>
        controllers.filter(({ devid }) => devid !== change.controller.devid),
      );
    case 'attached': {
      const device = view.devices.find(({ busid }) => busid === change.busid);
      return inPort(view, change, (port) => ({ port, busid: change.busid, ...(device ? { device } : {}) }));
    }
    case 'detached':
      return inPort(view, change, (port) => ({ port }));
    default:
      return view;
  }
}

function plugged(view: View, device: Omit<Device, 'name' | 'usedBy' | 'assignable'>): View {
  const { busid } = device;
  // Whether it may be given away is not known yet; the plan says so if it may not.
  const assignable = device.kind === 'device';
  const listed = { ...device, name: deviceName(device), usedBy: '-', assignable };
  return {
    ...view,
    devices: [...view.devices.filter((one) => one.busid !== busid), listed],
    gone: view.gone.filter((one) => one.busid !== busid),
    guests: withoutMissing(view.guests, busid),
  };
}

function unplugged(view: View, { busid }: Pick<Device, 'busid'>): View {
  const device = view.devices.find((one) => one.busid === busid);
  const isShown = device !== undefined && device.kind !== 'root-hub';
  const gone: Gone | undefined = isShown
    ? { busid, name: device.name, classes: classesOf(device) }
    : undefined;
  return {
    ...view,
    devices: view.devices.filter((one) => one !== device),
    gone: gone ? [...view.gone.filter((one) => one.busid !== busid), gone].slice(-GONE_MAX) : view.gone,
    guests: mapPorts(view.guests, busid, ({ device: _, ...port }) => ({
      ...port,
      missing: true,
      state: 'missing',
    })),
  };
}

function withoutMissing(guests: readonly Guest[], busid: string): readonly Guest[] {
  return mapPorts(guests, busid, ({ missing: _, state: __, ...port }) => port);
}

function mapPorts(guests: readonly Guest[], busid: string, changed: (port: Port) => Port): readonly Guest[] {
  const has = ({ ports }: Controller): boolean => ports.some((port) => port.busid === busid);
  return guests.map((guest) =>
    guest.controllers.some(has)
      ? {
          ...guest,
          controllers: guest.controllers.map((controller) =>
            has(controller)
              ? {
                  ...controller,
                  ports: controller.ports.map((port) => (port.busid === busid ? changed(port) : port)),
                }
              : controller,
          ),
        }
      : guest,
  );
}

function inPort(
  view: View,
  { domid, devid, port }: { readonly domid: number; readonly devid: number; readonly port: number },
  made: (port: number) => Port,
): View {
  return ofGuest(view, domid, (controllers) =>
    controllers.map((controller) =>
      controller.devid === devid
        ? { ...controller, ports: controller.ports.map((one) => (one.port === port ? made(port) : one)) }
        : controller,
    ),
  );
}

function withController(
  view: View,
  controller: Omit<Controller, 'ports'> & { ports: readonly Port[] },
): View {
  return ofGuest(view, controller.domid, (controllers) => {
    const known = controllers.find(({ devid }) => devid === controller.devid);
    // What has become of a device in a port is not in the event.
    const ports = controller.ports.map(
      (port) => known?.ports.find((one) => one.port === port.port && one.busid === port.busid) ?? port,
    );
    const others = controllers.filter(({ devid }) => devid !== controller.devid);
    return [...others, { ...controller, ports }].sort((one, other) => one.devid - other.devid);
  });
}

function ofGuest(
  view: View,
  domid: number,
  changed: (controllers: readonly Controller[]) => readonly Controller[],
): View {
  return {
    ...view,
    guests: view.guests.map((guest) =>
      guest.domid === domid ? { ...guest, controllers: changed(guest.controllers) } : guest,
    ),
  };
}

function put(guests: readonly Guest[], guest: Guest): readonly Guest[] {
  const others = guests.filter(({ domid }) => domid !== guest.domid);
  return [...others, guest].sort((one, other) => one.domid - other.domid);
}

/** The view with what the daemon answered; what has not changed stays the same object. */
export function withAnswers(view: View, answers: Partial<View>): View {
  const { devices = view.devices } = answers;
  const plugged = new Set(devices.map(({ busid }) => busid as string));
  return { ...view, ...answers, gone: view.gone.filter(({ busid }) => !plugged.has(busid)) };
}
