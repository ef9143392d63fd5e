/** Opens the host that this process runs on, or one that is simulated. */

import { systemClock } from '../../async/clock.js';
import { Mutex } from '../../async/mutex.js';
import { type HostRoots, openHostUses, openImages, openProcesses } from '../../hostuse/index.js';
import { openUserdata } from '../../libxl/userdata.js';
import { openRuleFiles, RULES_ROOT } from '../../policy/files.js';
import { openQemuRunner } from '../../qemu/index.js';
import { QmpClient } from '../../qmp/client.js';
import { openQuiescedFiles, STATE_ROOT } from '../../quiesced/files.js';
import { openSysfs } from '../../sysfs/sysfs.js';
import { openHostPlugs } from '../../sysfs/uevent-plugs.js';
import { openXenstore, type XenstoreEnvironment } from '../../xenstore/open.js';
import { toPvusbError } from '../model/failure.js';
import type { CallOptions, Host } from './host.js';
import { type Platform, platformOf } from './platform.js';

/** What the environment says about where a host is: what `pvusb sim` prints, and what xenstore's own tools use. */
export interface HostEnvironment extends XenstoreEnvironment {
  readonly PVUSB_SYSFS?: string | undefined;
  readonly PVUSB_QMP?: string | undefined;
  readonly PVUSB_USERDATA?: string | undefined;
  readonly PVUSB_PROC?: string | undefined;
  readonly PVUSB_DEV?: string | undefined;
  readonly PVUSB_RULES?: string | undefined;
  readonly PVUSB_STATE?: string | undefined;
}

/** Where a host is. An option takes precedence over the environment, the environment over the system's default. */
export interface HostOptions extends CallOptions {
  /** The process's environment unless given. */
  readonly environment?: HostEnvironment | undefined;
  /** The operating system, as Node names it; this one unless given. */
  readonly platform?: string | undefined;
  /**
   * Where sysfs is mounted (or `PVUSB_SYSFS`); `/sys` unless given. If all three folders are given the system does not
   * matter.
   */
  readonly sysfsRoot?: string | undefined;
  /** Where libxl keeps the configurations of its domains (or `PVUSB_USERDATA`); `/var/lib/xen` unless given. */
  readonly userdataRoot?: string | undefined;
  /** Where the files of rules are (or `PVUSB_RULES`); `/etc/pvusb` unless given. */
  readonly rulesRoot?: string | undefined;
  /** Where state that survives a reboot is kept (or `PVUSB_STATE`); `/var/lib/pvusb` unless given. */
  readonly stateRoot?: string | undefined;
  /** Where QEMU's monitors are (or `PVUSB_QMP`); `/var/run/xen` unless given. */
  readonly qmpRoot?: string | undefined;
}

/** A host that was opened. `await using host = await openHost()` closes it at the end of its block. */
export interface OpenHost extends Host, AsyncDisposable {
  /**
   * Waits until every plan that is being carried out has ended, its undo included, then closes the connection. Anything
   * begun after that fails with `connection-lost` and changes nothing; a watch ends with it, too. Never rejects;
   * closing twice is the same as closing once.
   */
  close(): Promise<void>;
}

/**
 * Opens this host, or the one that the environment names. Close it when done.
 *
 * @throws {PvusbError} `xenstore-unreachable`, `xenstore-denied`; `unsupported-platform`; `aborted`
 */
export async function openHost(options: HostOptions = {}): Promise<OpenHost> {
  const { signal, environment = process.env as HostEnvironment } = options;
  const { sysfsRoot, elsewhere, userdataRoot, qmpRoot } = pathsOf(options, environment);
  try {
    const xenstore = await openXenstore({ signal, environment });
    const inFlight = new Set<Promise<unknown>>();
    const close = async (): Promise<void> => {
      while (inFlight.size > 0) await Promise.allSettled(inFlight);
      xenstore.close();
    };
    return {
      xenstore,
      sysfs: openSysfs(sysfsRoot, elsewhere),
      plugs: () => openHostPlugs(sysfsRoot),
      qemu: (domid, call) => QmpClient.open(`${qmpRoot}/qmp-libxl-${domid}`, call),
      // A simulated host says where its monitors are. A QEMU of this machine would be of the real guest with that number.
      ...(options.qmpRoot || environment.PVUSB_QMP ? {} : { qemuRunner: openQemuRunner(systemClock) }),
      clock: systemClock,
      userdata: openUserdata({ root: userdataRoot }),
      // A simulated host says where its files are. Where there are none, nothing is in use.
      uses: openHostUses({ sysfsRoot, ...processRoots(environment) }),
      images: openImages(sysfsRoot),
      isServing: (announcement) =>
        openProcesses({ sysfsRoot, ...processRoots(environment) }).isAlive(announcement),
      rules: openRuleFiles(options.rulesRoot || environment.PVUSB_RULES || RULES_ROOT, systemClock),
      quiesced: openQuiescedFiles(options.stateRoot || environment.PVUSB_STATE || STATE_ROOT),
      reopen: () => openXenstore({ environment }),
      turns: new Mutex(),
      commits: new Mutex(),
      inFlight,
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    throw toPvusbError(error, { doing: 'connecting to xenstored', signal });
  }
}

/** A simulated host works on any system: the system's paths are asked for only where a path is not given. */
function pathsOf(options: HostOptions, environment: HostEnvironment): Platform {
  const sysfsRoot = options.sysfsRoot || environment.PVUSB_SYSFS || undefined;
  const userdataRoot = options.userdataRoot || environment.PVUSB_USERDATA || undefined;
  const qmpRoot = options.qmpRoot || environment.PVUSB_QMP || undefined;
  if (sysfsRoot !== undefined && userdataRoot !== undefined && qmpRoot !== undefined)
    return { sysfsRoot, userdataRoot, qmpRoot, elsewhere: {} };
  const usual = platformOf(options.platform ?? process.platform);
  return {
    sysfsRoot: sysfsRoot ?? usual.sysfsRoot,
    userdataRoot: userdataRoot ?? usual.userdataRoot,
    qmpRoot: qmpRoot ?? usual.qmpRoot,
    elsewhere: usual.elsewhere,
  };
}

/** Where /proc and its like are; a simulated host has its own, side by side. */
function processRoots({ PVUSB_PROC: proc, PVUSB_DEV: dev }: HostEnvironment): Omit<HostRoots, 'sysfsRoot'> {
  return {
    procRoot: proc || '/proc',
    devRoot: dev || '/dev',
    ...(proc ? { runRoot: `${proc}/../run` } : {}),
  };
}
