/**
 * What differs between the controller types. The order of a plan is the same for all and is in `plan/`; a record says
 * only what its type does in between.
 */
import type { DriverName } from '../../sysfs/busid.js';
import type { UsbDevice } from '../../sysfs/device.js';
import type { PvusbError } from '../model/errors.js';
import type { Place } from '../model/find.js';
import type { Domain, Inventory } from '../model/inventory.js';
import type { BackendKind, ControllerId, RecordKey } from '../model/layout.js';
import type { Action, Fact, Step } from '../model/plan.js';
import type { NewController, RemoveRequest, Target } from '../model/request.js';
import type { Served } from '../model/served.js';

/**
 * - `in-use`: the guest has it
 * - `waiting`: the host's end has it; the guest has not taken it yet
 * - `not-opened`: the guest cannot have it: the host's drivers still have it, or QEMU does not have it open or has died
 * - `other-device`: a different device from the one that was attached is plugged into that socket now
 * - `missing`: it has been pulled out
 */
export type PortState = 'in-use' | 'waiting' | 'not-opened' | 'other-device' | 'missing';

/** What is wrong with a device that a port names, as far as it is specific to the type. */
export type PortFault = 'other-device' | 'port-without-binding' | 'unnoticed-device';

/** How a device leaves a port: what is done before the port is freed, and after. */
interface LettingGo {
  readonly before: readonly Step[];
  readonly after: readonly Step[];
}

/** What a controller type is like. */
export interface ControllerTraits {
  /** Who takes the devices, in a word: `usbback`. */
  readonly server: string;
  /** One line for those choosing a type: `served by the host's usbback`. */
  readonly summary: string;
  /** What it requires: `needs a kernel with usbback`. */
  readonly needs: string;
  /** Completes "the guest does not have it: ...". */
  readonly notTaken: string;
  /** A QEMU has the devices: it is asked what it has. */
  readonly isOfQemu: boolean;
  /** A QEMU emulates the controllers, and gets them by command; otherwise it follows them in xenstore. */
  readonly isEmulated: boolean;
  /** The kernel driver usbback serves it. */
  readonly needsUsbback: boolean;
  /** A device for which no controller is named gets one of its own. */
  readonly hasOneDeviceEach: boolean;
  /** Virtual devices can be in its ports. */
  readonly servesVirtual: boolean;
  /** Two controllers of a guest never get devices in ports with the same number. */
  readonly hasClashingPorts: boolean;
}

/** One controller type. */
export interface ServedType extends ControllerTraits {
  /** The kind of its backends in xenstore; undefined: a controller is only a record, and its ports are there. */
  readonly backend: BackendKind | undefined;
  /** What a lent device's interfaces are bound to when the guest uses it. */
  readonly lentDriver: DriverName;
  /**
   * Under which key the host's drivers are recorded: libxl binds interfaces to what it finds under its own, right after it
   * has emptied the port, whoever has them at that moment.
   */
  readonly recordKey: RecordKey;

  /** Whether `auto` means this type (libxl: libxl__device_usbctrl_setdefault). Exactly one type says so. */
  isUsualFor(inventory: Inventory, domain: Domain): boolean;
  /** Why nothing would serve such a controller; undefined when something does. */
  serviceProblem(inventory: Inventory, controller: ControllerId): PvusbError | undefined;
  /** Why such a controller cannot have a device of this speed; undefined when it can. */
  speedProblem(version: number, speedMbps: number): 'too fast' | 'too slow' | undefined;

  /** What must exist for a controller to be created, besides its domain. */
  offer(controller: ControllerId): readonly Fact[];
  /** Has a controller served whose trees have just been created. */
  serve(inventory: Inventory, controller: NewController): Step;
  /** The same for a controller that is recorded but not served yet; none when it is served. */
  serveRecorded(inventory: Inventory, controller: Served): readonly Step[];
  /** What lets go of a controller, before its trees are removed. Its ports are empty. */
  close(inventory: Inventory, controller: Served, request: RemoveRequest): readonly Step[];

  /** The controller still exists, and is not being removed. */
  isThere(portsAt: string): Fact;
  /** Hands over a device whose port is claimed. */
  handOver(inventory: Inventory, device: UsbDevice, target: Target): readonly Step[];
  /** What takes the device back when its claim is undone, after the port is freed. */
  takeBack(target: Target, device: UsbDevice): readonly Action[];
  /** How a device leaves its port. `isShared`: another port holds it too, and keeps what it has. */
  letGo(inventory: Inventory, place: Place, isShared: boolean): LettingGo;
  /** What may still have a device whose port was freed by an interrupted detach. */
  letGoLate(inventory: Inventory, device: UsbDevice, origin: string | undefined): readonly Step[];
  /** Whether a driver (or none) on a lent device's interface means that it was taken for the guest. */
  isTakenBy(driver: DriverName | undefined): boolean;

  /** What has become of a plugged-in device, judging by its drivers, the guest's frontend, and what our backend shows. */
  lentState(device: UsbDevice, frontendState: number | undefined, shown?: number): PortState;
  /** Whether a guest whose frontend says this has a driver that may take a device at any moment. */
  mayTake(frontendState: number | undefined): boolean;
  /** Whether the device of a port is open; undefined when QEMU was not asked, or it is not known. */
  isOpen(inventory: Inventory, place: Place): boolean | undefined;
  /** What is wrong with the plugged-in device of a port, if anything. */
  examine(
    inventory: Inventory,
    place: Place,
    device: UsbDevice,
    state: PortState | undefined,
  ): PortFault | undefined;
}
