/** The simulated host of a plan script: its world, what libxl stores about its domains, and the devices pulled out of it. */
import { HostUses } from '../../../src/hostuse/index.js';
import { type LockedUserdata, SavedConfig, type Userdata } from '../../../src/libxl/index.js';
import type { Host } from '../../../src/pvusb/index.js';
import type { QuiescedFiles, QuiescedGuest } from '../../../src/quiesced/index.js';
import { labWorld, parseWorld, qemuWorld, type SimQemu, type World } from '../../../src/sim/index.js';
import { type Lab, openSimulated } from '../support/test-host.js';

const WORLDS: Readonly<Record<string, () => World>> = {
  lab: labWorld,
  qemu: () => qemuWorld(),
  'lab without usbback': () => ({ ...labWorld(), usbback: false }),
  'qemu without usbback': () => qemuWorld({ usbback: false }),
};

/** A host that a script works on. */
export class ScriptHost implements AsyncDisposable {
  readonly lab: Lab;
  readonly host: Host;
  readonly world: World;
  /** By domain: the bytes of the saved configurations. */
  readonly saved = new Map<number, Buffer>();

  /** The guests that are quiesced, by token. */
  readonly quiesced = new Map<string, QuiescedGuest>();

  /** The lines of its rules. */
  readonly rules: string[] = [];

  private constructor(lab: Lab, world: World) {
    this.lab = lab;
    this.world = world;
    const rules = {
      root: '/',
      read: async () => [{ path: 'rules', text: this.rules.join('\n') }],
      change: () => Promise.reject(new Error('a script has commands for that')),
    };
    this.host = {
      ...lab.host,
      userdata: userdataOf(this.saved),
      rules,
      quiesced: quiescedIn(this.quiesced),
      // Whoever is announced lives; a QEMU is only planned for.
      isServing: async () => true,
      qemuRunner: { start: unplanned, end: unplanned, isAlive: unplanned, find: unplanned, logOf: unplanned },
    };
    // What a world does not say about the host's own uses is not asked.
    if (world.devices.some(({ uses }) => uses !== undefined))
      this.host = { ...this.host, uses: new HostUses(lab.sim.usb.hostFiles) };
    // What a script does on the way to a plan needs no waiting.
    lab.beHasty();
  }

  /** @param name a recorded world, or the JSON of a short one. Throws for what is neither. */
  static async open(name: string): Promise<ScriptHost> {
    const world = name.startsWith('{')
      ? parseWorld({ format: 'pvusb-world-1', ...JSON.parse(name) })
      : WORLDS[name]?.();
    if (!world) throw new Error(`there is no world "${name}": ${Object.keys(WORLDS).join(', ')}`);
    return new ScriptHost(await openSimulated({ world }), world);
  }

  /** The QEMU of a domain. Throws when it never had one. */
  qemu(domid: number): SimQemu {
    const qemu = this.lab.sim.qemus.get(domid);
    if (!qemu) throw new Error(`domain ${domid} has no QEMU`);
    return qemu;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]();
  }
}

function unplanned(): never {
  throw new Error('a script starts no QEMU');
}

function quiescedIn(guests: Map<string, QuiescedGuest>): QuiescedFiles {
  return {
    list: async () => [...guests.values()],
    write: async (guest) => void guests.set(guest.token, guest),
    remove: async (token) => void guests.delete(token),
  };
}

/** Files in memory; nobody else uses them, so there is nothing to lock. */
function userdataOf(files: Map<number, Buffer>): Userdata {
  return {
    withLock: ({ domid }, _, body) => {
      const locked: LockedUserdata = {
        read: async () => {
          const bytes = files.get(domid);
          return bytes && SavedConfig.parse(bytes);
        },
        write: async (config) => {
          files.set(domid, config.toBytes());
        },
        remove: async () => {
          files.delete(domid);
        },
      };
      return body(locked);
    },
  };
}
