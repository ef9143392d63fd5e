/**
 * A client of the daemon `pvusb serve`, on this host or another: `openDaemon({ socketPath: '/run/pvusb/api.sock' })`.
 */

// A daemon.

export { openDaemon } from './client.js';
export type { CallOptions, Daemon } from './daemon.js';
export type { EventsOptions } from './events.js';
export type { DaemonAddress } from './transport.js';

// What is asked.

export type {
  AnswerCall,
  ApplyCall,
  AssignCall,
  AssignDeviceCall,
  AttachCall,
  AuditQuery,
  ChangeOptions,
  ControllerAddCall,
  ControllerCall,
  ControllerName,
  DetachCall,
  DevicesRequest,
  DoctorQuery,
  DomainQuery,
  DomainRequest,
  ExplainRequest,
  ImportCall,
  NoRequest,
  PrepareCall,
  QuiesceCall,
  ReconcileCall,
  ReleaseCall,
  RestoreCall,
  UnassignCall,
} from '../api/index.js';

// What is answered.

export type {
  ApiDocument,
  AppliedAnswer,
  AskRequest,
  AttachedAnswer,
  AuditAnswer,
  AuditEntry,
  Changed,
  DaemonEvent,
  DetachedAnswer,
  ImportAnswer,
  ImportRemark,
  OperationPhase,
  QuiescedAnswer,
  Role,
  ServiceState,
  StreamEvent,
  Streamed,
  VersionAnswer,
  WhoamiAnswer,
} from '../api/index.js';
export type {
  AddedRule,
  AssignmentJson,
  CheckedRules,
  Explanation,
  Exported,
  ExportedSettings,
  ListedController,
  ListedDevice,
  ListedDomain,
  ListedPort,
  ReconciledJson,
  RemovedRules,
  RestoredJson,
  RuleRemark,
  ToldDiagnosis,
  ToldFinding,
  ToldPlan,
} from '../commands/index.js';
export type { ControllerSetting, DeviceSetting } from '../xlcfg/index.js';
