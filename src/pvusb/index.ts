/** Lends a Xen host's USB devices to its guests. */

export { diagnose } from './diagnose/diagnose.js';
export { describeFinding } from './diagnose/wording.js';
export { type ExecuteOptions, execute, type Progress } from './execute/execute.js';
export type { InventoryChange } from './model/difference.js';
export * from './model/errors.js';
export { ConflictError } from './model/failure.js';
export * from './model/find.js';
export type { Finding } from './model/finding.js';
export * from './model/inventory.js';
export {
  type Action,
  type Edit,
  type Fact,
  formatAction,
  formatPlan,
  type Plan,
  type Step,
} from './model/plan.js';
export type { NewController, Target } from './model/request.js';
export * from './observe/host.js';
export { type ObserveOptions, observe } from './observe/observe.js';
export { type HostOptions, openHost } from './observe/open-host.js';
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
export { type AttachPlan, planAttach } from './plan/attach.js';
export { planAddController, planRemoveController } from './plan/controller.js';
export { planDetach } from './plan/detach.js';
export { planRepair } from './plan/repair.js';
export {
  type ControllerRequest,
  resolveController,
  resolveType,
} from './plan/resolve.js';
export type { AttachRequest } from './plan/target.js';
export { portState } from './types/port-state.js';
export type { PortState } from './types/served-type.js';
export { type Applied, type ApplyOptions, applyUsb } from './verbs/apply.js';
export * from './verbs/attach.js';
export * from './verbs/controllers.js';
export * from './verbs/detach.js';
export { type Diagnosis, type DoctorOptions, doctor } from './verbs/doctor.js';
export {
  type LibxlDomain,
  libxlControllerInfo,
  libxlDomains,
  libxlUsb,
  parseLibxlUsb,
} from './verbs/libxl-json.js';
export * from './verbs/listing.js';
export type { OperationOptions, Outcome } from './verbs/operate.js';
export { type PrepareOptions, prepareDomain } from './verbs/prepare.js';
export type { WatchEvent } from './watch/duty.js';
export { type FollowOptions, followHost } from './watch/monitor.js';
export { type WatchOptions, watchDomains } from './watch/watch.js';
