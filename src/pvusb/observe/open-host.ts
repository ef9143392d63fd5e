/** Opens the host that this process runs on, or one that is simulated. */

import { systemClock } from '../../async/clock.js';
import { Mutex } from '../../async/mutex.js';
import { openUserdata } from '../../libxl/userdata.js';
import { QmpClient } from '../../qmp/client.js';
import { openPlugs } from '../../sysfs/plugs.js';
import { openSysfs } from '../../sysfs/sysfs.js';
import { openXenstore, type XenstoreEnvironment } from '../../xenstore/open.js';
import { toPvusbError } from '../model/failure.js';
import type { CallOptions, Host, Xenstore } from './host.js';
import { type Platform, platformOf } from './platform.js';

/** Where a host is. */
export interface HostOptions extends CallOptions {
  /** `XENSTORED_PATH` and `XENSTORED_RUNDIR`; the process's environment unless given. */
  readonly environment?: XenstoreEnvironment;
  /** The operating system, as Node names it; this one unless given. */
  readonly platform?: string | undefined;
  /** Where sysfs is mounted; `/sys` unless given. With all three folders given the operating system does not matter. */
  readonly sysfsRoot?: string | undefined;
  /** Where libxl keeps the configurations of its domains; `/var/lib/xen` unless given. */
  readonly userdataRoot?: string | undefined;
  /** Where QEMU's monitors are; `/var/run/xen` unless given. */
  readonly qmpRoot?: string | undefined;
}

/**
 * Opens this host. Close its `xenstore` when done.
 *
 * @throws {PvusbError} `xenstore-unreachable`, `xenstore-denied`; `unsupported-platform`
 */
export async function openHost(options: HostOptions = {}): Promise<Host> {
  const { environment } = options;
  const { sysfsRoot, elsewhere, userdataRoot, qmpRoot } = pathsOf(options);
  const reopen = (): Promise<Xenstore> => openXenstore(environment ? { environment } : {});
  try {
    const xenstore = await openXenstore({ signal: options.signal, ...(environment ? { environment } : {}) });
    return {
      xenstore,
      sysfs: openSysfs(sysfsRoot, elsewhere),
      plugs: () => openPlugs(sysfsRoot),
      qemu: (domid, call) => QmpClient.open(`${qmpRoot}/qmp-libxl-${domid}`, call),
      clock: systemClock,
      userdata: openUserdata({ root: userdataRoot }),
      reopen,
      turns: new Mutex(),
      commits: new Mutex(),
    };
  } catch (error) {
    throw toPvusbError(error, { doing: 'connecting to xenstored', signal: options.signal });
  }
}

/** A simulated host is served on any system: what the system says is asked for only where a path is not given. */
function pathsOf({ sysfsRoot, userdataRoot, qmpRoot, platform }: HostOptions): Platform {
  if (sysfsRoot !== undefined && userdataRoot !== undefined && qmpRoot !== undefined)
    return { sysfsRoot, userdataRoot, qmpRoot, elsewhere: {} };
  const usual = platformOf(platform ?? process.platform);
  return {
    sysfsRoot: sysfsRoot ?? usual.sysfsRoot,
    userdataRoot: userdataRoot ?? usual.userdataRoot,
    qmpRoot: qmpRoot ?? usual.qmpRoot,
    elsewhere: usual.elsewhere,
  };
}
