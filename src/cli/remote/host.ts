/** The host of a daemon, for commands that look: all that they read is in its inventory. */
import type { Daemon } from '../../client/index.js';
import { type CallOptions, type Host, type Inventory, PvusbError, systemClock } from '../../pvusb/index.js';

/**
 * A host that is one look of a daemon, taken when it is first needed. Nothing can be changed on it, and what an inventory
 * does not have is not there: no operation may be given it.
 */
export function hostOf(daemon: Daemon): Host {
  let look: Promise<Inventory> | undefined;
  const latest = ({ signal }: CallOptions = {}): Promise<Inventory> => {
    look ??= daemon.inventory({}, { signal });
    return look;
  };
  return {
    latest,
    clock: systemClock,
    rules: {
      root: 'the rules of the daemon',
      read: async (options) => (await latest(options)).ruleFiles ?? [],
      change: unreachable,
      listen: () => () => undefined,
    },
    quiesced: {
      list: async () => (await latest()).quiesced ?? [],
      write: unreachable,
      remove: unreachable,
    },
    uses: {
      async usesOf(devices, options) {
        const busids = new Set(devices.map(({ busid }) => busid));
        return ((await latest(options)).uses ?? []).filter(({ busid }) => busids.has(busid));
      },
    },
    sysfs: {
      devices: async (options) => [...(await latest(options)).devices],
      hasDriver: async (_, options) => (await latest(options)).usbback,
      stateOf: unreachable,
      bind: unreachable,
      unbind: unreachable,
      probe: unreachable,
    },
    xenstore: {
      readMany: unreachable,
      directoryMany: unreachable,
      write: unreachable,
      mkdir: unreachable,
      rm: unreachable,
      setPermissions: unreachable,
      transaction: unreachable,
      watch: unreachable,
      close: () => undefined,
    },
  };
}

/** A command that needs more has to ask the daemon for it. */
async function unreachable(): Promise<never> {
  throw new PvusbError('internal', 'This command needs more than a daemon provides.');
}
