/** Plans: what will be done to a host, as plain data, before anything is done. */
import type { SavedController, SavedDevice } from '../../libxl/index.js';
import type { QemuGuest } from '../../qemu/command-line.js';
import type { Busid, DriverName, InterfaceId } from '../../sysfs/index.js';
import type { Permission } from '../../xenstore/index.js';
import type { ControllerId } from './layout.js';
import type { VirtualName } from './virtual.js';
import { countPorts } from './wording.js';

/** What must still hold inside the transaction that changes something. */
export type Fact =
  | { readonly fact: 'value'; readonly path: string; readonly is: string }
  /** `vacant`: empty or gone. */
  | { readonly fact: 'present' | 'absent' | 'vacant'; readonly path: string }
  | UnclaimedFact;

/** A device is in no port of any domain, and there are no domains and controllers other than those known. */
export interface UnclaimedFact {
  readonly fact: 'unclaimed';
  readonly busid: Busid;
  /** Every domain that has a record, and its controllers. */
  readonly domids: readonly number[];
  readonly controllers: readonly ControllerId[];
  /** Every port node of them. */
  readonly ports: readonly string[];
}

/** One change of xenstore. */
export type Edit =
  | { readonly edit: 'write'; readonly path: string; readonly value: string }
  | { readonly edit: 'mkdir'; readonly path: string; readonly permissions: readonly Permission[] }
  | { readonly edit: 'rm'; readonly path: string }
  /** Empties a node, if it still holds `from`. */
  | { readonly edit: 'clear'; readonly path: string; readonly from: string }
  /** Removes a node that has no children, or none but `ignoring`. */
  | { readonly edit: 'prune'; readonly path: string; readonly ignoring?: readonly string[] };

/** One thing done to the host. */
export type Action =
  /** One xenstore transaction; `expect` is read again inside it. */
  | {
      readonly do: 'commit';
      readonly expect: readonly Fact[];
      readonly edits: readonly Edit[];
      /** If `expect` does not hold there is nothing to do; without this it is a conflict. */
      readonly otherwise?: 'skip';
      readonly config?: ConfigChange;
    }
  | { readonly do: 'bind' | 'unbind'; readonly interface: InterfaceId; readonly driver: DriverName }
  /** A conflict unless the device in that socket has this address: a replugged device gets another one. */
  | { readonly do: 'verify'; readonly busid: Busid; readonly bus: number; readonly address: number }
  /**
   * Unbinds an interface from the host's driver. A kind of its own, since a driver of several interfaces may release
   * this one together with another: then that one's record brings it back, and its own is removed, as with xl.
   */
  | {
      readonly do: 'take';
      readonly interface: InterfaceId;
      readonly driver: DriverName;
      readonly record: string;
    }
  /**
   * Gives an interface back to the host. A kind of its own, since giving back is more than a bind: any driver that
   * already has it will do, and the kernel is asked for one when the recorded driver refuses or cannot be trusted
   * (`driver` absent).
   */
  | {
      readonly do: 'restore';
      readonly interface: InterfaceId;
      readonly driver?: DriverName | undefined;
      /** The address, `3.11`, of the device that had this driver: of any other plug nothing is expected, nor if unknown. */
      readonly at?: string | undefined;
    }
  /**
   * Removes the saved drivers that are no longer needed, unless the device is in some port again. A kind of its own,
   * since only then can it be seen which those are: those of interfaces that are on their recorded driver (on any, if
   * none is recorded) or gone, and those that are of no use (`keep` false).
   */
  | {
      readonly do: 'forget';
      readonly busid: Busid;
      /** As of `restore`. */
      readonly at?: string | undefined;
      readonly records: readonly {
        readonly interface: InterfaceId;
        readonly driver?: DriverName | undefined;
        readonly keep: boolean;
      }[];
    }
  /** Waits until a xenbus state is one of `states`, or, with `orGone`, until the node is gone. */
  | ({
      readonly do: 'await';
      /** Who is expected to change it: `usbback`. */
      readonly server: string;
      readonly path: string;
      readonly states: readonly number[];
      readonly orGone: boolean;
      readonly withinMs: number;
    } & ControllerId)
  | QemuAction
  /** Starts a QEMU for a domain that has none, announces it as libxl would, and waits until it runs. */
  | ({ readonly do: 'start-qemu'; readonly withinMs: number } & QemuGuest)
  /** Ends the QEMU that was started so, if it was, and takes back what was announced. */
  | { readonly do: 'end-qemu'; readonly domid: number }
  /** Waits until our own backend has opened the device of a port (`served`), or has released it. */
  | ({
      readonly do: 'served' | 'unserved';
      readonly busid: Busid | VirtualName;
      readonly portsAt: string;
      readonly withinMs: number;
    } & QemuPort);

/** A change to what libxl stores about a domain, made together with the transaction: both, or neither. */
export interface ConfigChange {
  readonly domid: number;
  readonly uuid: string;
  readonly edits: readonly ConfigEdit[];
  /** Other attached devices of the domain: what the file says about them is corrected, where they are still attached. */
  readonly known?: readonly KnownDevice[];
  /** A file that cannot be read or written is left as it is: taking something from a guest succeeds all the same. */
  readonly ifPossible?: boolean;
}

/** An attached device, and what the file should call it. */
export interface KnownDevice {
  /** The port node that holds it. */
  readonly path: string;
  readonly busid: Busid;
  readonly device: SavedDevice;
}

/** One change of a domain's saved configuration. */
export type ConfigEdit =
  | { readonly edit: 'add-controller'; readonly controller: SavedController }
  | { readonly edit: 'remove-controller'; readonly devid: number }
  | { readonly edit: 'add-device'; readonly device: SavedDevice }
  /** `only`: not if another toolstack has put another device there. */
  | {
      readonly edit: 'remove-device';
      readonly ctrl: number;
      readonly port: number;
      readonly only?: { readonly hostbus: number; readonly hostaddr: number };
    };

/** A port of a controller that a process serves. */
export interface QemuPort extends ControllerId {
  readonly port: number;
}

/** One thing done in a domain's QEMU, or waited for there. Each is done when QEMU is in that state, whoever caused it. */
export type QemuAction =
  /** It emulates a controller. `isNew`: a conflict if it already does. */
  | ({
      readonly do: 'emulate';
      readonly version: number;
      readonly ports: number;
      readonly isNew: boolean;
    } & ControllerId)
  /** It no longer emulates the controller. `mayStay`: it is not a failure if the guest does not let go of it. */
  | ({ readonly do: 'unemulate'; readonly withinMs: number; readonly mayStay: boolean } & ControllerId)
  /** An emulated controller has the device in a port. */
  | ({
      readonly do: 'lend';
      readonly busid: Busid;
      readonly bus: number;
      readonly address: number;
    } & QemuPort)
  /** An emulated controller has nothing in a port, or, with `only`, not this device. */
  | ({
      readonly do: 'unlend';
      readonly only?: { readonly bus: number; readonly address: number };
    } & QemuPort)
  /** It has opened the device that a port of a qusb controller names: waits for that. */
  | ({ readonly do: 'hold'; readonly busid: Busid; readonly withinMs: number } & QemuPort)
  /** It has let go of the device that a port of a qusb controller named: waits for that. */
  | ({ readonly do: 'release'; readonly busid: Busid; readonly withinMs: number } & QemuPort);

/** One step, why it is done, and what undoes it. */
export interface Step {
  /** Completes "to ...": `lend 4-1 to port 1 of controller 0 of u1 (domain 3)`. */
  readonly why: string;
  readonly act: Action;
  /** In order. Safe to run more than once, and if the step has not happened. */
  readonly undo?: readonly Action[];
  /** A failure is reported at the end; the steps after it are still done. */
  readonly goOn?: boolean;
}

/** What an operation will do. */
export interface Plan {
  /** What it is for: `attach 4-1 to port 1 of controller 0 of u1 (domain 3)`. */
  readonly title: string;
  readonly steps: readonly Step[];
  /** Adding undoes what was begun; removing stops, and can be run again. */
  readonly onFailure: 'undo' | 'stop';
}

/** A plan as text: its title, then a line per step; with `undo`, each step's undo indented below it. */
export function formatPlan(plan: Plan, options: { readonly undo?: boolean | undefined } = {}): string {
  if (plan.steps.length === 0) return `${plan.title}: nothing to do\n`;
  const lines = plan.steps.flatMap((step, i) => [
    `  ${i + 1}. ${formatAction(step.act)}`,
    ...(options.undo ? (step.undo ?? []).map((action) => `       undo: ${formatAction(action)}`) : []),
  ]);
  return [plan.title, ...lines, ''].join('\n');
}

/** One action as a line. */
export function formatAction(action: Action): string {
  switch (action.do) {
    case 'bind':
      return `bind ${action.interface} to ${action.driver}`;
    case 'unbind':
    case 'take':
      return `unbind ${action.interface} from ${action.driver}`;
    case 'restore':
      return `give ${action.interface} back to ${action.driver ?? 'the driver that the kernel chooses'}`;
    case 'verify':
      return `check that ${action.busid} is still at address ${action.bus}.${action.address}`;
    case 'forget':
      return `forget the drivers saved for ${action.busid}`;
    case 'await':
      return `wait up to ${action.withinMs / 1000} s until ${action.path} is ${action.states.join(' or ')}`;
    case 'served':
    case 'unserved': {
      const what = action.do === 'served' ? 'opened' : 'released';
      return `wait up to ${action.withinMs / 1000} s until the pvusb backend has ${what} ${action.busid}`;
    }
    case 'commit':
      return formatCommit(action);
    case 'start-qemu':
      return `start a QEMU for domain ${action.domid}, and wait up to ${action.withinMs / 1000} s until it is running`;
    case 'end-qemu':
      return `end the QEMU that pvusb has started for domain ${action.domid}`;
    default:
      return formatQemuAction(action);
  }
}

function formatCommit({ edits, expect, config }: Extract<Action, { do: 'commit' }>): string {
  const xenstore = edits.length === 0 ? [] : [formatEdits(edits)];
  const saved = config ? [`note it in the saved configuration of domain ${config.domid}`] : [];
  return xenstore.length + saved.length === 0
    ? formatFacts(expect)
    : [...xenstore, ...saved].join(',\n     ');
}

function formatQemuAction(action: QemuAction): string {
  const qemu = `the QEMU of domain ${action.domid}`;
  switch (action.do) {
    case 'emulate':
      return `have ${qemu} emulate controller ${action.devid} (USB ${action.version}, ${countPorts(action.ports)})`;
    case 'unemulate':
      return `have ${qemu} remove controller ${action.devid}`;
    case 'lend':
      return `have ${qemu} put ${action.busid} (${action.bus}.${action.address}) into port ${action.port} of controller ${action.devid}`;
    case 'unlend':
      return `have ${qemu} let go of what is in port ${action.port} of controller ${action.devid}`;
    case 'hold':
      return `wait up to ${action.withinMs / 1000} s until ${qemu} has opened ${action.busid}`;
    case 'release':
      return `wait up to ${action.withinMs / 1000} s until ${qemu} has let go of ${action.busid}`;
  }
}

function formatFacts(facts: readonly Fact[]): string {
  const sentences = facts.map((fact) => {
    if (fact.fact === 'unclaimed') return `${fact.busid} is in no port`;
    return fact.fact === 'value'
      ? `${fact.path} is ${JSON.stringify(fact.is)}`
      : `${fact.path} is ${fact.fact}`;
  });
  return `check that ${sentences.join(' and ')}`;
}

function formatEdits(edits: readonly Edit[]): string {
  const made = edits.filter((edit) => edit.edit === 'mkdir').map(({ path }) => path);
  // A new directory's keys are many and say little.
  const isDetail = (path: string): boolean => made.some((directory) => path.startsWith(`${directory}/`));
  const lines = edits.flatMap((edit) => (isDetail(edit.path) ? [] : formatEdit(edit)));
  return lines.join(',\n     ');
}

function formatEdit(edit: Edit): string | [] {
  switch (edit.edit) {
    case 'mkdir':
      return `create ${edit.path}`;
    case 'write':
      return `write ${edit.path} = ${JSON.stringify(edit.value)}`;
    case 'clear':
      return `write ${edit.path} = ""`;
    case 'rm':
      return `remove ${edit.path}`;
    case 'prune':
      return [];
  }
}

/** Gives an interface back to the host. */
export type RestoreAction = Extract<Action, { do: 'restore' }>;
