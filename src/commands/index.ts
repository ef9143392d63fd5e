/** What commands do and answer, as data: the command line prints it, the daemon sends it. */
export { type AddedRule, assign, assignLine } from './assign.js';
export {
  type AssignmentJson,
  assignmentJson,
  type ReconciledJson,
  reconciledJson,
} from './assignments.js';
export { type CheckedRules, checkRules, type RuleRemark } from './check.js';
export { type ListedDevice, listedDevices, secondName, shownDevices } from './devices.js';
export { diagnosisJson, isWrong, type ToldDiagnosis, type ToldFinding, toldDiagnosis } from './doctor.js';
export { type Explanation, explain, explanationJson, type RulePart } from './explain.js';
export { type Exported, type ExportedSettings, exportUsb } from './export.js';
export { describeGuests, describeHolder, whyNotAttachable } from './holders.js';
export {
  type ListedController,
  type ListedDomain,
  type ListedPort,
  listedDomains,
  shownDomains,
} from './list.js';
export { barePlan, type ToldPlan, toldPlan } from './plans.js';
export { type RestoredJson, restoredJson } from './quiesced.js';
export { commandRemedy, type ErrorJson, errorJson, HalfDoneError, remedyOf } from './remedies.js';
export { parseSettings } from './settings.js';
export { type RemovedRules, unassign } from './unassign.js';
