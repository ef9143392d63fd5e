/** The operations that the sweep runs, each on a world of its own. */
import {
  addController,
  attachDevice,
  type ControllerType,
  detachDevice,
  doctor,
  type Host,
  removeController,
} from '../../src/pvusb/index.js';
import type { SimHost } from '../../src/sim/index.js';
import type { Stage } from './events.js';
import { brokenEmulatedWorld, brokenQusbWorld, brokenWorld, smallWorld } from './worlds.js';

/** One operation of the product on a small world. */
export interface Swept {
  readonly name: string;
  /** What failing means: an addition leaves everything as it was, a removal and a repair can be run again. */
  readonly failing: 'undoes' | 'resumes';
  readonly stage: Stage;
  /** Only every n-th call goes wrong; every one unless given. */
  readonly every?: number;
  /** And, regardless of `every`, each call that changes something. */
  readonly eachChange?: boolean;
  world(): Promise<SimHost>;
  run(host: Host, signal?: AbortSignal): Promise<unknown>;
}

/** The operations on controllers of one type. */
class Operations {
  readonly #type: ControllerType;

  constructor(type: ControllerType) {
    this.#type = type;
  }

  adding(): Swept {
    const type = this.#type;
    // An EHCI, which is made unless another one is asked for, has six ports.
    const ports = type === 'devicemodel' ? {} : { ports: 2 };
    return {
      ...this.#common('add a controller', '2-1'),
      failing: 'undoes',
      world: () => smallWorld({ type, lent: {}, busids: ['1-1', '2-1'] }),
      run: (host, signal) => addController(host, { domain: 1, ...ports }, { signal }),
    };
  }

  attaching(busid: string, devid?: number): Swept {
    const type = this.#type;
    const lent = devid === undefined ? {} : { lent: {} };
    return {
      ...this.#common(`attach ${busid}${devid === undefined ? ' to a new controller' : ''}`, busid),
      failing: 'undoes',
      world: () => smallWorld({ type, ...lent, busids: ['1-1', busid] }),
      run: (host, signal) => attachDevice(host, { domain: 1, device: busid, devid }, { signal }),
    };
  }

  detaching(busid: string): Swept {
    const type = this.#type;
    return {
      ...this.#common(`detach ${busid}`, busid),
      failing: 'resumes',
      world: () => smallWorld({ type, lent: { 1: busid }, busids: ['1-1', busid] }),
      run: (host, signal) => detachDevice(host, { domain: 1, devid: 0, port: 1 }, { signal }),
    };
  }

  removing(destroy: boolean, lent: Record<string, string>): Swept {
    const type = this.#type;
    const [first = '2-1', second = '2-1'] = Object.values(lent);
    const full = Object.keys(lent).length > 0 ? ' with devices' : '';
    return {
      ...this.#common(`${destroy ? 'destroy' : 'remove'} a controller${full}`, first),
      failing: 'resumes',
      // Without devices few calls matter; with them most are those of detaching one device, which is swept separately.
      every: full ? 5 : 2,
      world: () => smallWorld({ type, lent, busids: ['1-1', first, second] }),
      run: (host, signal) => removeController(host, { domain: 1, devid: 0, destroy }, { signal }),
    };
  }

  repairing(world: () => Promise<SimHost>): Swept {
    return {
      ...this.#common('doctor --fix', '3-6'),
      failing: 'resumes',
      // It observes the host repeatedly: a thousand calls and more, few of them new.
      every: 61,
      world,
      run: (host, signal) => doctor(host, { fix: true, settleMs: 0, signal }),
    };
  }

  #common(name: string, busid: string): Pick<Swept, 'name' | 'stage'> {
    const type = this.#type;
    return {
      name: type === 'pv' ? name : `${name} (${type})`,
      stage: { type, busid, other: '1-1', domid: 1, devid: 0 },
    };
  }
}

const pv = new Operations('pv');

/** All of them for controllers of type pv. */
export const OPERATIONS: readonly Swept[] = [
  pv.adding(),
  pv.removing(false, {}),
  pv.removing(true, {}),
  pv.attaching('2-1', 0),
  { ...pv.attaching('2-1'), every: 3, eachChange: true },
  { ...pv.attaching('3-6', 0), every: 3, eachChange: true },
  { ...pv.attaching('3-7', 0), every: 4, eachChange: true },
  { ...pv.attaching('3-8', 0), every: 4 },
  pv.detaching('2-1'),
  { ...pv.detaching('3-6'), every: 4, eachChange: true },
  // Other interfaces, the same steps.
  { ...pv.detaching('3-7'), every: 7 },
  { ...pv.detaching('3-8'), every: 7 },
  pv.removing(false, { 1: '3-6', 2: '2-1' }),
  pv.removing(true, { 1: '3-7', 2: '3-8' }),
  pv.repairing(brokenWorld),
];

/** The same for the types that a QEMU serves. */
export const QEMU_OPERATIONS: readonly Swept[] = [
  ...ofQemu('qusb', brokenQusbWorld),
  ...ofQemu('devicemodel', brokenEmulatedWorld),
];

/** A QEMU is asked often, and says the same each time: few of the calls that change nothing matter. */
function ofQemu(type: ControllerType, broken: () => Promise<SimHost>): Swept[] {
  const on = new Operations(type);
  return [
    { ...on.adding(), every: 11, eachChange: true },
    { ...on.attaching('2-1', 0), every: 11, eachChange: true },
    { ...on.attaching('3-6', 0), every: 13 },
    { ...on.attaching('3-7'), every: 11, eachChange: true },
    { ...on.detaching('2-1'), every: 13 },
    { ...on.detaching('3-6'), every: 11, eachChange: true },
    { ...on.removing(false, {}), every: 5 },
    { ...on.removing(false, { 1: '3-6', 2: '2-1' }), every: 17 },
    { ...on.removing(true, { 1: '3-7', 2: '3-8' }), every: 19 },
    { ...on.repairing(broken), every: 97 },
  ];
}
