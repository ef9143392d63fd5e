/**
 * Lends a Xen host's USB devices to its guests: the public API, which the command line uses too.
 *
 * `npm run docs` generates docs/api.md from the comments of these names. A comment followed by an empty line starts a section
 * of that page.
 */

// Opening a host.

export type { XenstoreEnvironment } from '../xenstore/index.js';
export type { CallOptions, LatestOptions } from './observe/host.js';
export { type HostEnvironment, type HostOptions, type OpenHost, openHost } from './observe/open-host.js';
export { type Platform, platformOf } from './observe/platform.js';

// Reading and watching. These functions change nothing.

export { diagnose } from './diagnose/diagnose.js';
export { severityOf } from './diagnose/severity.js';
export { describeFinding } from './diagnose/wording.js';
export type { InventoryChange, PortChange } from './model/difference.js';
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
  savedFor,
  type Users,
  usedBy,
} from './model/find.js';
export type { ConfigDifference, Finding, OtherDriver, Severity } from './model/finding.js';
export { countPorts, labelDomain, type Named, nameDomain } from './model/wording.js';
export { type ObserveOptions, observe } from './observe/observe.js';
export type { UsesAsked } from './observe/uses.js';
export { portState } from './types/port-state.js';
export type { PortState } from './types/served-type.js';
export {
  type AttachedDevice,
  type ControllerDetails,
  controllerInfo,
  deviceInPort,
  type ListOptions,
  type ListRequest,
  listControllers,
  listDevices,
  listInventory,
} from './verbs/listing.js';
export { type FollowOptions, followHost } from './watch/follow.js';
export type { Look, MonitorOptions } from './watch/monitor.js';

// Operations. Each one is planned first; with `dryRun` it is only planned.

export type { ExecuteOptions, Progress } from './execute/execute.js';
export type { Adjustment } from './plan/apply.js';
export type { Unmet, Want } from './plan/reconcile.js';
export type { ControllerRequest } from './plan/resolve.js';
export type { AttachRequest } from './plan/target.js';
export type { ApplyRules, WantedController, WantedDevice, WantedUsb } from './plan/wanted.js';
export type { CorrectedAddress } from './verbs/addresses.js';
export { type Applied, type ApplyOptions, applyUsb } from './verbs/apply.js';
export {
  type Attached,
  type Attachment,
  type AttachOptions,
  attachDevice,
  type DeviceName,
} from './verbs/attach.js';
export { type AttachedVirtual, attachVirtual, notVirtual } from './verbs/attach-virtual.js';
export {
  type AddedController,
  addController,
  type Released,
  releaseDomain,
  removeController,
} from './verbs/controllers.js';
export { type Detached, type DetachRequest, detachDevice } from './verbs/detach.js';
export { type Diagnosis, type DoctorOptions, doctor } from './verbs/doctor.js';
export type { OperationOptions, Outcome } from './verbs/operate.js';
export { type PrepareOptions, type PrepareRequest, prepareDomain } from './verbs/prepare.js';
export { type QemuChange, startQemu, stopQemu } from './verbs/qemu.js';
export { type Quiesced, type QuiesceRequest, quiesceDomain } from './verbs/quiesce.js';
export { type Reconciled, type ReconcileOptions, reconcile } from './verbs/reconcile.js';
export {
  forgetQuiesced,
  listQuiesced,
  type Restored,
  type RestoreOptions,
  restoreDomain,
  type Unrestored,
} from './verbs/restore.js';
export { parseXlConfig, type XlConfig } from './verbs/xl-config.js';
export type { Carry, OwnOperation, WatchEvent } from './watch/duty.js';
export type { GuestDevice } from './watch/guests-seen.js';
export { type WatchOptions, watchDomains } from './watch/watch.js';

// What a host looks like. Plain data that can be written as JSON.

export type { HostUse, HostUseKind } from '../hostuse/index.js';
export {
  CONTROLLER_TYPES,
  type ControllerType,
  type SavedController,
  type SavedControllerType,
  type SavedDevice,
} from '../libxl/index.js';
export type { Busid, DriverName, InterfaceId, UsbDevice, UsbInterface, UsbKind } from '../sysfs/index.js';
export { USBBACK, USBFS } from './model/drivers.js';
export type {
  Controller,
  DeviceModel,
  Domain,
  DomainType,
  Inventory,
  OrphanBackend,
  OwnBackend,
  Port,
  QemuAnswer,
  QemuDevice,
  SavedDriver,
  SavedDrivers,
  SavedSettings,
  UntrustedFrontend,
} from './model/inventory.js';
export { XenbusState } from './model/inventory.js';
export type { ControllerId } from './model/layout.js';
export { quiescedDomains } from './model/quiesced.js';
export { decisionsOf, rulesOf } from './model/rules.js';
export { isServed, type Served } from './model/served.js';
export { isMeantAsVirtual, parseVirtualName, VIRTUAL_FORM, type VirtualName } from './model/virtual.js';
export type { ControllerTraits } from './types/served-type.js';
export { CONTROLLER_TRAITS, traitsOf, traitsOn } from './types/types.js';

// Plans. What an operation will do, as plain data: it can be inspected before it is executed.

export { execute } from './execute/execute.js';
export {
  type Action,
  type ConfigChange,
  type ConfigEdit,
  type Edit,
  type Fact,
  formatAction,
  formatPlan,
  type KnownDevice,
  type Plan,
  type QemuAction,
  type QemuPort,
  type Step,
  type UnclaimedFact,
} from './model/plan.js';
export { type Subjects, subjectsOf } from './model/plan-subjects.js';
export type { NewController, RemoveRequest, Target } from './model/request.js';
export { type PlannedAdjustment, planApply } from './plan/apply.js';
export {
  type Assignment,
  type AssignmentOptions,
  type AssignmentStatus,
  assignmentsOf,
  type Followed,
} from './plan/assigned.js';
export { type AttachPlan, attachProblem, neededUses, planAttach } from './plan/attach.js';
export { planAddController, planRemoveController } from './plan/controller.js';
export { denialProblem } from './plan/denied.js';
export { planDetach } from './plan/detach.js';
export { planRepair } from './plan/repair.js';
export { resolveController, resolveType } from './plan/resolve.js';
export { type FoundDevice, type FoundUsb, findWanted, requireMeant } from './plan/wanted.js';

// libxl's JSON.

export {
  type LibxlDomain,
  libxlControllerInfo,
  libxlDomains,
  libxlUsb,
  parseLibxlUsb,
} from './verbs/libxl-json.js';

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

// Providing a host. `openHost` returns a `Host`; so that tests can replace it, any object with these parts will do.

export { type Clock, KeyedMutex, Mutex, systemClock } from '../async/index.js';
export type { DiskExport, UsesOptions } from '../hostuse/index.js';
export type {
  DomainFiles,
  LockedUserdata,
  SavedConfig,
  Userdata,
  UserdataLockOptions,
} from '../libxl/index.js';
export {
  openRuleFiles,
  RULES_ROOT,
  type RuleFiles,
  RuleFilesError,
  type RuleFilesErrorCode,
} from '../policy/index.js';
export type { QemuGuest, QemuRunner } from '../qemu/index.js';
export type {
  ExpectedEvent,
  JsonObject,
  JsonValue,
  QmpCallOptions,
  QmpCommands,
  QmpEvent,
} from '../qmp/index.js';
export {
  openQuiescedFiles,
  type QuiescedController,
  type QuiescedDevice,
  type QuiescedFiles,
  type QuiescedGuest,
  STATE_ROOT,
} from '../quiesced/index.js';
export type {
  Decision,
  Guest,
  Identity,
  Mode,
  Rule,
  RuleBody,
  RuleFile,
  RulePlace,
  Subject,
  Verdict,
} from '../rules/index.js';
export type { Binding, InterfaceState, ScanOptions, Wanted } from '../sysfs/index.js';
export type { Access, Permission } from '../xenstore/index.js';
export type {
  Changes,
  Host,
  HostImages,
  HostSysfs,
  HostUsesReader,
  Qemu,
  Xenstore,
  XenstoreNodes,
} from './observe/host.js';
