/** Type pv: the kernel driver usbback serves the guest, and takes the interfaces that are bound to it. */
import type { DriverName } from '../../sysfs/busid.js';
import type { UsbDevice } from '../../sysfs/device.js';
import { USBBACK } from '../model/drivers.js';
import { PvusbError } from '../model/errors.js';
import { deviceAt, isAlive, isOf, savedFor } from '../model/find.js';
import { XenbusState } from '../model/inventory.js';
import { DRIVER_PATH_KEY, savedInterfacePath } from '../model/layout.js';
import type { Step } from '../model/plan.js';
import { nameController } from '../model/wording.js';
import { closingSteps, isNew, isOnline, servedStep } from './backend.js';
import type { ServedType } from './served-type.js';

const SERVER = 'usbback';
const BACKEND = 'vusb';

/** The record of type pv. */
export const PV: ServedType = {
  server: SERVER,
  summary: "served by pvusb itself, or the host's usbback",
  needs: 'needs "pvusb backend", or a kernel with usbback',
  notTaken: 'its interfaces are not on usbback',
  backend: BACKEND,
  isOfQemu: false,
  isEmulated: false,
  needsUsbback: true,
  hasOneDeviceEach: false,
  servesVirtual: false,
  hasClashingPorts: false,
  lentDriver: USBBACK,
  recordKey: DRIVER_PATH_KEY,

  isUsualFor: ({ usbback, backend }, { type }) => type !== 'hvm' && (usbback || backend !== undefined),

  serviceProblem(inventory, controller) {
    if (inventory.usbback || inventory.backend) return undefined;
    const { domid, devid } = controller;
    const sentence = `The kernel driver usbback, which would serve ${nameController(inventory, controller)}, is not loaded.`;
    return new PvusbError('no-usbback', sentence, { where: { domid, devid } });
  },

  speedProblem: () => undefined,

  offer: () => [],
  serve: (inventory, controller) => servedStep(inventory, SERVER, BACKEND, controller),
  serveRecorded: (inventory, controller) =>
    isNew(controller) ? [servedStep(inventory, SERVER, BACKEND, controller)] : [],
  close: (inventory, controller, request) =>
    closingSteps(
      inventory,
      SERVER,
      controller,
      request,
      isAlive(inventory, controller.domid) && inventory.usbback,
    ),

  isThere: isOnline,
  handOver: (_, device) => bindSteps(device),
  takeBack: () => [],
  letGo(inventory, { port }, isShared) {
    const device = port.busid === undefined ? undefined : deviceAt(inventory, port.busid);
    return { before: device && !isShared ? unbindSteps(device) : [], after: [] };
  },
  letGoLate: (_, device) => unbindSteps(device),
  isTakenBy: (driver) => driver === USBBACK,

  lentState({ interfaces }, frontendState) {
    if (!isOn(interfaces)) return 'not-opened';
    return frontendState === XenbusState.connected ? 'in-use' : 'waiting';
  },
  mayTake: (frontendState) => frontendState === XenbusState.connected,
  isOpen: () => undefined,
  examine(inventory, _, device) {
    if (!isOf(savedFor(inventory, device.busid), device, true)) return 'other-device';
    return isOn(device.interfaces) ? undefined : 'port-without-binding';
  },
};

function isOn(interfaces: readonly { readonly driver?: DriverName }[]): boolean {
  return interfaces.length > 0 && interfaces.every(({ driver }) => driver === USBBACK);
}

/**
 * Off the host's drivers, then onto usbback, lowest interface first: a driver of several interfaces
 * (snd-usb-audio) takes interfaces back only from the first one on, so whatever is off it can go back at any moment.
 */
function bindSteps(device: UsbDevice): Step[] {
  const { interfaces } = device;
  return [
    ...interfaces
      .filter(({ driver }) => driver !== undefined)
      .map(
        ({ id, driver }): Step => ({
          why: `take ${id} from ${driver}`,
          act: { do: 'take', interface: id, driver: driver!, record: savedInterfacePath(device.busid, id) },
        }),
      ),
    ...interfaces.map(
      ({ id }): Step => ({
        why: `hand ${id} to usbback`,
        act: { do: 'bind', interface: id, driver: USBBACK },
        undo: [{ do: 'unbind', interface: id, driver: USBBACK }],
      }),
    ),
  ];
}

/** Takes every interface of a device off usbback. */
function unbindSteps({ interfaces }: UsbDevice): Step[] {
  return interfaces
    .filter(({ driver }) => driver === USBBACK)
    .map(({ id }) => ({
      why: `take ${id} from the guest`,
      act: { do: 'unbind', interface: id, driver: USBBACK },
    }));
}
