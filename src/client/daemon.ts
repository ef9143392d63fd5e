/** What a daemon can be asked for. */
import type {
  AnswerCall,
  ApiDocument,
  AppliedAnswer,
  ApplyCall,
  AskRequest,
  AssignCall,
  AttachCall,
  AttachedAnswer,
  AuditAnswer,
  AuditQuery,
  Changed,
  ChangeOptions,
  ControllerAddCall,
  ControllerCall,
  ControllerName,
  DetachCall,
  DetachedAnswer,
  DevicesRequest,
  DoctorQuery,
  DomainQuery,
  DomainRequest,
  ExplainRequest,
  ImportAnswer,
  ImportCall,
  NoRequest,
  PrepareCall,
  QuiesceCall,
  QuiescedAnswer,
  ReconcileCall,
  ReleaseCall,
  RestoreCall,
  ServiceState,
  Streamed,
  UnassignCall,
  VersionAnswer,
  WhoamiAnswer,
} from '../api/index.js';
import type {
  AddedRule,
  AssignmentJson,
  CheckedRules,
  Explanation,
  Exported,
  ListedDevice,
  ListedDomain,
  ReconciledJson,
  RemovedRules,
  RestoredJson,
  ToldDiagnosis,
} from '../commands/index.js';
import type {
  AddedController,
  ControllerDetails,
  Inventory,
  QuiescedGuest,
  Released,
} from '../pvusb/index.js';
import type { EventsOptions } from './events.js';

/** Options of each call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * A daemon. Each method rejects with the PvusbError that the daemon has met, or with `not-authenticated`,
 * `not-permitted`, `daemon-busy`, `daemon-unreachable`, `daemon-answer` (what answers is not understood),
 * `invalid-argument` or `aborted`. Changes take `dryRun`, and an id for the `operation`, by which its steps are known
 * among the events.
 */
export interface Daemon {
  /** Succeeds if the daemon is running. */
  health(request?: NoRequest, options?: CallOptions): Promise<{ readonly status: 'ok' }>;
  /** Says whether the daemon is ready: status 503 if not. */
  readiness(request?: NoRequest, options?: CallOptions): Promise<{ readonly state: ServiceState }>;
  /** Metrics in the text format of Prometheus. */
  metrics(request?: NoRequest, options?: CallOptions): Promise<string>;
  /** The description of the API, in OpenAPI 3.1. */
  openapi(request?: NoRequest, options?: CallOptions): Promise<ApiDocument>;
  /** The version of the daemon. */
  version(request?: NoRequest, options?: CallOptions): Promise<VersionAnswer>;
  /** Says who the caller is, and what they may do. */
  whoami(request?: NoRequest, options?: CallOptions): Promise<WhoamiAnswer>;
  /** The whole host as it is now. */
  inventory(request?: NoRequest, options?: CallOptions): Promise<Inventory>;
  /** The host's USB devices, who has them, and whether they can be attached. */
  devices(request?: DevicesRequest, options?: CallOptions): Promise<readonly ListedDevice[]>;
  /** Domains, their controllers, ports and devices. */
  list(request?: DomainQuery, options?: CallOptions): Promise<readonly ListedDomain[]>;
  /** Everything about a controller. */
  controllerInfo(request: ControllerName, options?: CallOptions): Promise<ControllerDetails>;
  /** What a guest has, as the settings of its xl.cfg file. */
  export(request: DomainRequest, options?: CallOptions): Promise<Exported>;
  /** What is half done or left over. Takes two seconds if there is something. */
  doctor(request?: DoctorQuery, options?: CallOptions): Promise<ToldDiagnosis>;
  /** The rules that give devices to guests, and their state. */
  assignments(request?: NoRequest, options?: CallOptions): Promise<readonly AssignmentJson[]>;
  /** Which rules apply to a device, and why. */
  explain(request: ExplainRequest, options?: CallOptions): Promise<Explanation>;
  /** Mistakes in the rules. */
  check(request?: NoRequest, options?: CallOptions): Promise<CheckedRules>;
  /** The devices waiting for approval. */
  requests(request?: NoRequest, options?: CallOptions): Promise<readonly AskRequest[]>;
  /** The guests that are quiesced, and what each gets back. */
  quiesced(request?: NoRequest, options?: CallOptions): Promise<readonly QuiescedGuest[]>;
  /** Who has changed what. */
  audit(request?: AuditQuery, options?: CallOptions): Promise<AuditAnswer>;
  /** Lends a device to a domain. */
  attach(request: AttachCall, options?: CallOptions): Promise<Changed<AttachedAnswer>>;
  /** Takes a device back. */
  detach(request: DetachCall, options?: CallOptions): Promise<Changed<DetachedAnswer>>;
  /** Adds a USB controller to a domain. */
  controllerAdd(request: ControllerAddCall, options?: CallOptions): Promise<Changed<AddedController>>;
  /** Detaches the devices of a controller, waits for the guest to release it, and removes it. */
  controllerRemove(
    request: ControllerCall,
    options?: CallOptions,
  ): Promise<Changed<{ readonly domid: number; readonly devid: number }>>;
  /** The same without waiting for the guest. */
  controllerDestroy(
    request: ControllerCall,
    options?: CallOptions,
  ): Promise<Changed<{ readonly domid: number; readonly devid: number }>>;
  /** Takes every device and controller from a domain, alive or dead. */
  release(request: ReleaseCall, options?: CallOptions): Promise<Changed<Released>>;
  /** Makes the USB of a domain match settings. */
  apply(request: ApplyCall, options?: CallOptions): Promise<Changed<AppliedAnswer>>;
  /** Waits for a domain and gives it what settings name and the rules assign. */
  prepare(request: PrepareCall, options?: CallOptions): Promise<Changed<AppliedAnswer>>;
  /** Gives guests what the rules assign to them. */
  reconcile(request?: ReconcileCall, options?: CallOptions): Promise<Changed<Omit<ReconciledJson, 'plans'>>>;
  /** Repairs what is half done or left over. */
  doctorFix(request?: ChangeOptions, options?: CallOptions): Promise<Changed<ToldDiagnosis>>;
  /** Detaches all devices from a guest temporarily, and returns a token. */
  quiesce(request: QuiesceCall, options?: CallOptions): Promise<Changed<QuiescedAnswer>>;
  /** Gives a quiesced guest back what it had. */
  restore(request: RestoreCall, options?: CallOptions): Promise<Changed<Omit<RestoredJson, 'plans'>>>;
  /** Discards the record of what a quiesced guest had. */
  forget(request: RestoreCall, options?: CallOptions): Promise<Changed<QuiescedGuest>>;
  /** Decides whether a guest gets a device that is waiting for approval. */
  answer(
    request: AnswerCall,
    options?: CallOptions,
  ): Promise<Changed<{ readonly id: string; readonly granted: boolean }>>;
  /** Makes a rule. */
  assign(request: AssignCall, options?: CallOptions): Promise<Changed<AddedRule>>;
  /** Removes rules. */
  unassign(request: UnassignCall, options?: CallOptions): Promise<Changed<RemovedRules>>;
  /** Converts another program's file into rules; nothing is written. */
  import(request: ImportCall, options?: CallOptions): Promise<ImportAnswer>;
  /**
   * Events, the first one `start`: reconnects by itself and goes on where it was. After `reset` events are missing: look
   * at everything again. Ends when the signal aborts.
   *
   * @throws {PvusbError} what cannot get better: `not-authenticated`, `not-permitted`, `daemon-answer`
   */
  events(options?: EventsOptions): AsyncGenerator<Streamed, void>;
}
