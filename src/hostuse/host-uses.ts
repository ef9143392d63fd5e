/** What the host does with its USB devices: the only reader of /proc, and of what sysfs has outside of bus/usb. */
import { type Clock, systemClock } from '../async/index.js';
import type { UsbDevice } from '../sysfs/device.js';
import { type BlockFacts, blockUses, type DiskExport } from './blocks.js';
import { consoleUses, parseConsoles } from './consoles.js';
import type { HostFiles } from './files.js';
import { keyboardUses, parseKeyboards } from './keyboards.js';
import { networkUses } from './network.js';
import { type HostRoots, nodeHostFiles } from './node-files.js';
import { claimUses, openUses, soundUses } from './programs.js';
import { readBlockFacts } from './read-blocks.js';
import { readNetworkFacts } from './read-network.js';
import { type ProcessFacts, readDeviceFiles, readProcesses, readSound } from './read-processes.js';
import { classPaths, textAt } from './soft.js';
import { type HostUse, sortUses } from './use.js';

/** Another program may be trying whether it can have a disk, as this one does: it is tried again after that long. */
const AGAIN_MS = 100;

/** How the uses of devices are looked for. */
export interface UsesOptions {
  readonly signal?: AbortSignal | undefined;
  /** Reads the disks that guests have from xenstore; called only if one of the devices is a disk. */
  readonly exports?: (() => Promise<readonly DiskExport[]>) | undefined;
  /**
   * The devices are about to be lent, all of them: whole disks are opened (which can make one spin up), all processes
   * are looked through (which takes a second on a large host), and no two of the devices stand in for each other.
   */
  readonly thorough?: boolean | undefined;
}

const noExports = async (): Promise<readonly DiskExport[]> => [];

/** Says what the host does with USB devices. */
export class HostUses {
  readonly #files: HostFiles;
  readonly #clock: Clock;

  /** @param files the host's files; see {@link openHostUses} for the real ones */
  constructor(files: HostFiles, clock: Clock = systemClock) {
    this.#files = files;
    this.#clock = clock;
  }

  /** What the host does with these devices. What cannot be read is not in use, as far as is known. */
  async usesOf(devices: readonly UsbDevice[], options: UsesOptions = {}): Promise<HostUse[]> {
    const { signal, thorough = false } = options;
    signal?.throwIfAborted();
    if (devices.length === 0) return [];
    const files = this.#files;
    const order = devices.map(({ busid }) => busid);
    const busids = new Set(order);
    const deviceFiles = thorough ? await readDeviceFiles(files, devices) : [];
    const wanted = new Set(deviceFiles.map(({ path }) => path));
    const { holders, otherMounts } = thorough ? await readProcesses(files, wanted, signal) : NOBODY;
    signal?.throwIfAborted();
    const [blocks, network, input, consoles, active, sound] = await Promise.all([
      this.#readBlocks({ busids, exports: options.exports ?? noExports, thorough, otherMounts }),
      readNetworkFacts(files, devices),
      textAt(files, 'proc/bus/input/devices'),
      textAt(files, 'proc/consoles'),
      textAt(files, 'sys/class/tty/console/active'),
      readSound(files, busids),
    ]);
    const terminals = parseConsoles(consoles, active);
    const paths = await classPaths(files, 'tty', terminals);
    signal?.throwIfAborted();
    const uses = [
      ...(blocks ? blockUses(blocks, busids) : []),
      ...(network ? networkUses(network, busids) : []),
      ...keyboardUses(parseKeyboards(input), busids, thorough),
      ...consoleUses(terminals, paths, busids),
      ...claimUses(devices, deviceFiles, holders),
      ...openUses(devices, deviceFiles, holders),
      ...soundUses(sound),
    ];
    return sortUses(uses, order);
  }

  async #readBlocks(question: Parameters<typeof readBlockFacts>[1]): Promise<BlockFacts | undefined> {
    const facts = await readBlockFacts(this.#files, question);
    const isUnexplained = facts && blockUses(facts, question.busids).some(({ use }) => use === 'claimed');
    if (!isUnexplained) return facts;
    await this.#clock.sleep(AGAIN_MS);
    return readBlockFacts(this.#files, question);
  }
}

const NOBODY: ProcessFacts = { holders: [], otherMounts: [] };

/** The uses of the devices of the host whose files are below `roots`. Nothing is read until asked for. */
export function openHostUses(roots: HostRoots): HostUses {
  return new HostUses(nodeHostFiles(roots));
}
