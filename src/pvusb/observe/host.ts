/** What the operations need from a host: seven small interfaces, so that a simulation or a fault injector can stand in. */
import type { Clock, KeyedMutex, Mutex } from '../../async/index.js';
import type { HostUse, UsesOptions } from '../../hostuse/index.js';
import type { Userdata } from '../../libxl/index.js';
import type { RuleFiles } from '../../policy/index.js';
import type { QemuRunner } from '../../qemu/index.js';
import type { QmpCallOptions, QmpCommands } from '../../qmp/index.js';
import type { QuiescedFiles } from '../../quiesced/index.js';
import type { Binding, DriverName, InterfaceId, InterfaceState, UsbDevice } from '../../sysfs/index.js';
import type { ScanOptions } from '../../sysfs/scan.js';
import type { Permission } from '../../xenstore/index.js';
import type { Inventory } from '../model/inventory.js';

/** Options of every call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Nodes, the same inside and outside a transaction. Missing nodes are undefined. */
export interface XenstoreNodes {
  readMany(paths: readonly string[], options?: CallOptions): Promise<(string | undefined)[]>;
  directoryMany(paths: readonly string[], options?: CallOptions): Promise<(string[] | undefined)[]>;
  write(path: string, value: string, options?: CallOptions): Promise<void>;
  mkdir(path: string, options?: CallOptions): Promise<void>;
  rm(path: string, options?: CallOptions): Promise<void>;
  setPermissions(path: string, permissions: readonly Permission[], options?: CallOptions): Promise<void>;
}

/** Reports changes below one path. */
export interface Changes {
  next(options?: CallOptions): Promise<IteratorResult<readonly string[], undefined>>;
  close(): Promise<void>;
}

/** The host's xenstore. `XenstoreClient` of pvusb/xenstore is one. */
export interface Xenstore extends XenstoreNodes {
  transaction<T>(body: (nodes: XenstoreNodes) => Promise<T>, options?: CallOptions): Promise<T>;
  watch(path: string, options?: CallOptions): Promise<Changes>;
  close(): void;
}

/** The host's USB devices and drivers. `Sysfs` of pvusb/sysfs is one. */
export interface HostSysfs {
  devices(options?: CallOptions & ScanOptions): Promise<UsbDevice[]>;
  hasDriver(driver: DriverName, options?: CallOptions): Promise<boolean>;
  stateOf(intf: InterfaceId, options?: CallOptions): Promise<InterfaceState>;
  bind(binding: Binding, options?: CallOptions): Promise<void>;
  unbind(binding: Binding, options?: CallOptions): Promise<void>;
  probe(intf: InterfaceId, options?: CallOptions): Promise<DriverName | undefined>;
}

/** The monitor of a domain's QEMU, for a moment. `QmpClient` of pvusb/qmp is one. */
export interface Qemu extends QmpCommands {
  /** What it says it is. */
  readonly version?: { readonly major: number; readonly minor: number };
  close(): void;
}

/** Says what the host itself does with its devices. `HostUses` is one. */
export interface HostUsesReader {
  usesOf(devices: readonly UsbDevice[], options?: UsesOptions): Promise<HostUse[]>;
}

/** Says whether an image can become a virtual stick. `openImages` of pvusb/hostuse is one. */
export interface HostImages {
  /** Why it cannot, words for the end of a sentence; undefined if it can. */
  problemOf(path: string, isReadOnly: boolean): Promise<string | undefined>;
}

/** Options of {@link Host.latest}. */
export interface LatestOptions extends CallOptions {
  /** Only what is in xenstore needs to be current: devices and drivers may be as they were last reported. */
  readonly storeOnly?: boolean | undefined;
}

/** A host to observe and to change. */
export interface Host {
  readonly xenstore: Xenstore;
  readonly sysfs: HostSysfs;
  /** Opens the monitor of a domain's QEMU when it is our turn; rejects like `QmpClient.open`. Absent: no QEMU can be asked. */
  readonly qemu?: (domid: number, options: QmpCallOptions) => Promise<Qemu>;
  readonly clock: Clock;
  /** What libxl stores about its domains. `openUserdata` of pvusb/libxl is one; absent: nothing. */
  readonly userdata?: Userdata;
  /** What the host itself does with its devices. Absent: nothing is known about that, and nothing refused because of it. */
  readonly uses?: HostUsesReader;
  /** Images of virtual sticks. Absent: they are looked at only by the backend. */
  readonly images?: HostImages;
  /** Starts and ends QEMUs. `openQemuRunner` is one; absent: none can be started. */
  readonly qemuRunner?: QemuRunner;
  /** What quiesced guests had. `openQuiescedFiles` of pvusb is one; absent: none can be. */
  readonly quiesced?: QuiescedFiles;
  /** The files of rules. `openRuleFiles` of pvusb/policy is one; absent: there are none. */
  readonly rules?: RuleFiles;
  /**
   * Opens something that reports when devices come and go, each by its busid or by its node (`003/011`: bus and
   * address), or by anything else if it is not known which; no name at
   * all means that reports were lost. `isComplete`: nothing changes without a report. Absent: nothing reports it.
   */
  readonly plugs?: () => Promise<Pick<Changes, 'next' | 'close'> & { readonly isComplete?: boolean }>;
  /** Whether our own backend is alive, given the process that it announces. Absent: it is not. */
  readonly isServing?: (announcement: string) => Promise<boolean>;
  /**
   * Opens another connection to the same xenstore. A failed operation is undone over it if the first one was lost.
   */
  readonly reopen?: () => Promise<Xenstore>;
  /** Operations of this process that have conflicted with others take turns from then on, so as not to conflict again. */
  readonly turns?: Mutex;
  /**
   * The host as it is now, from someone who follows it: everything that was done before the call is in it. Undefined
   * while they do not know it. Absent: nobody follows it, and everything is read.
   */
  readonly latest?: (options?: LatestOptions) => Promise<Inventory | undefined>;
  /** One operation at a time for a device: an operation that had to wait observes again. */
  readonly deviceTurns?: KeyedMutex<string>;
  /** Plans that are being carried out; closing the host waits for them. */
  readonly inFlight?: Set<Promise<unknown>>;
  /** Transactions of this process take turns: open at the same time they would only make each other start again. */
  readonly commits?: Mutex;
}
