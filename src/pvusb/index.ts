/**
 * Lends a Xen host's USB devices to its guests: the public API, and all that the command line uses. Every name is listed;
 * docs/api.md is made from their comments.
 */

export { diagnose } from './diagnose/diagnose.js';
export { describeFinding } from './diagnose/wording.js';
export { type ExecuteOptions, execute, type Progress } from './execute/execute.js';
export type { InventoryChange, PortChange } from './model/difference.js';
export { USBBACK, USBFS } from './model/drivers.js';
// Errors.
export {
  ERROR_KINDS,
  type ErrorGroup,
  EXIT_STATUS,
  isPvusbError,
  PvusbError,
  type PvusbErrorCode,
  type PvusbErrorDetails,
  type Where,
} from './model/errors.js';
export { ConflictError } from './model/failure.js';
export {
  allPorts,
  controllersOf,
  type DomainName,
  deviceAt,
  domainAt,
  findController,
  findDevice,
  findDomain,
  isTaken,
  livingGuests,
  type Place,
  placesOf,
} from './model/find.js';
export type { ConfigDifference, Finding } from './model/finding.js';
// What a host looks like.
export type {
  Controller,
  ControllerType,
  DeviceModel,
  Domain,
  DomainType,
  Inventory,
  OrphanBackend,
  Port,
  QemuAnswer,
  QemuDevice,
  SavedDriver,
  SavedDrivers,
  SavedSettings,
  UntrustedFrontend,
} from './model/inventory.js';
export { XenbusState } from './model/inventory.js';
// Plans: what an operation will do, as plain data.
export {
  type Action,
  type ConfigChange,
  type ConfigEdit,
  type Edit,
  type Fact,
  formatAction,
  formatPlan,
  type Plan,
  type Step,
} from './model/plan.js';
export type { NewController, RemoveRequest, Target } from './model/request.js';
export { isServed, type Served } from './model/served.js';
export type {
  CallOptions,
  Changes,
  Host,
  HostSysfs,
  Qemu,
  Xenstore,
  XenstoreNodes,
} from './observe/host.js';
// Looking.
export { type ObserveOptions, observe } from './observe/observe.js';
// A host, opened or stood in for.
export { type HostOptions, type OpenHost, openHost } from './observe/open-host.js';
export { type Platform, platformOf } from './observe/platform.js';
export {
  type Adjustment,
  type ApplyRules,
  type FoundDevice,
  type FoundUsb,
  findWanted,
  type PlannedAdjustment,
  planApply,
  type WantedController,
  type WantedDevice,
  type WantedUsb,
} from './plan/apply.js';
export { type AttachPlan, attachProblem, planAttach } from './plan/attach.js';
export { planAddController, planRemoveController } from './plan/controller.js';
export { planDetach } from './plan/detach.js';
export { planRepair } from './plan/repair.js';
export { type ControllerRequest, resolveController, resolveType } from './plan/resolve.js';
export type { AttachRequest } from './plan/target.js';
export { portState } from './types/port-state.js';
export type { PortState, ServedType } from './types/served-type.js';
export { SERVED_TYPES, servedTypeOf } from './types/types.js';
export { type Applied, type ApplyOptions, applyUsb } from './verbs/apply.js';
export {
  type Attached,
  type Attachment,
  type AttachOptions,
  attachDevice,
  type DeviceName,
} from './verbs/attach.js';
// Changing. Each is planned first, and only planned with `dryRun`.
export {
  type AddedController,
  addController,
  type Released,
  releaseDomain,
  removeController,
} from './verbs/controllers.js';
export { type DetachRequest, detachDevice } from './verbs/detach.js';
export { type Diagnosis, type DoctorOptions, doctor } from './verbs/doctor.js';
// libxl's JSON.
export {
  type LibxlDomain,
  libxlControllerInfo,
  libxlDomains,
  libxlUsb,
  parseLibxlUsb,
} from './verbs/libxl-json.js';
export {
  type AttachedDevice,
  type ControllerDetails,
  controllerInfo,
  deviceInPort,
  type ListOptions,
  type ListRequest,
  listControllers,
  listDevices,
} from './verbs/listing.js';
export type { OperationOptions, Outcome } from './verbs/operate.js';
export { type PrepareOptions, prepareDomain } from './verbs/prepare.js';
export type { WatchEvent } from './watch/duty.js';
export { type FollowOptions, followHost } from './watch/monitor.js';
export { type WatchOptions, watchDomains } from './watch/watch.js';
