/** Lends a Xen host's USB devices to its guests. */
export { type Applied, type ApplyOptions, applyUsb } from './apply.js';
export { describeFinding } from './describe-finding.js';
export { diagnose, type Finding } from './diagnose.js';
export { type Diagnosis, type DoctorOptions, doctor } from './doctor.js';
export * from './errors.js';
export { type ExecuteOptions, execute, type Progress } from './execute.js';
export { ConflictError } from './failure.js';
export * from './find.js';
export * from './host.js';
export {
  type LibxlDomain,
  libxlControllerInfo,
  libxlDomains,
  libxlUsb,
  parseLibxlUsb,
} from './libxl-json.js';
export { type LifeEvent, type WatchOptions, watchDomains } from './life.js';
export * from './listing.js';
export * from './model.js';
export { type ObserveOptions, observe } from './observe.js';
export type { OperationOptions, Outcome } from './operate.js';
export * from './operations.js';
export { type Action, type Edit, type Fact, formatAction, formatPlan, type Plan, type Step } from './plan.js';
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
} from './plan-apply.js';
export { type AttachPlan, planAttach } from './plan-attach.js';
export { planAddController, planRemoveController } from './plan-controller.js';
export { planDetach } from './plan-detach.js';
export { planRepair } from './plan-repair.js';
export { type Platform, platformOf } from './platform.js';
export { type PrepareOptions, prepareDomain } from './prepare.js';
export { type ControllerRequest, type NewController, resolveController, resolveType } from './resolve.js';
export { type PortState, portState } from './state.js';
export type { AttachRequest, Target } from './target.js';
