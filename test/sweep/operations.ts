/** The operations that the sweep runs, each on a world of its own. */
import {
  addController,
  attachDevice,
  detachDevice,
  doctor,
  type Host,
  removeController,
} from '../../src/pvusb/index.js';
import { SimHost, shortWorld } from '../../src/sim/index.js';
import type { Stage } from './deeds.js';

/** One operation of the product on a small world. */
export interface Swept {
  readonly name: string;
  /** What failing means: an addition leaves what was, a removal and a repair can be run again. */
  readonly failing: 'undoes' | 'resumes';
  readonly stage: Stage;
  /** Only every so many-th call goes wrong; each one unless given. */
  readonly every?: number;
  world(): Promise<SimHost>;
  run(host: Host, signal?: AbortSignal): Promise<unknown>;
}

/** The devices of every world: a single interface, two claimed by one driver in two ways, one without driver. */
const DEVICES = [
  { busid: '1-1', id: '46f4:0001', serial: 'LAB0002', interfaces: ['08/06/50'] },
  { busid: '2-1', id: '0627:0001', serial: '89126', interfaces: ['03/01/02'] },
  { busid: '3-6', id: '46f4:0002', serial: 'AUDIO', interfaces: ['01/01/04', '01/02/00'] },
  { busid: '3-7', id: '0525:a4a2', class: '02/00/00', interfaces: ['02/06/00', '0a/00/00'] },
  { busid: '3-8', id: '08e6:4433', interfaces: ['0b/00/00'] },
];

/** Guests 1 and 2; guest 2 has a controller, guest 1 one with these devices unless it shall have none. */
export async function smallWorld(
  lent: Record<string, string> | undefined,
  busids: readonly string[] = DEVICES.map(({ busid }) => busid),
  seed = 7,
): Promise<SimHost> {
  const own = lent === undefined ? [] : [{ domid: 1, devid: 0, ports: 2, devices: lent }];
  return SimHost.create(
    shortWorld({
      devices: DEVICES.filter(({ busid }) => busids.includes(busid)),
      domains: [
        { domid: 1, name: 'one', hostile: seed },
        { domid: 2, name: 'two', hostile: seed + 1 },
      ],
      controllers: [...own, { domid: 2, devid: 0, ports: 2 }],
    }),
  );
}

function stage(busid: string): Stage {
  return { busid, other: '1-1', domid: 1, devid: 0 };
}

function attaching(busid: string, devid?: number): Swept {
  return {
    name: `attach ${busid}${devid === undefined ? ' to a new controller' : ''}`,
    failing: 'undoes',
    stage: stage(busid),
    world: () => smallWorld(devid === undefined ? undefined : {}, ['1-1', busid]),
    run: (host, signal) => attachDevice(host, { domain: 1, device: busid, devid }, { signal }),
  };
}

function detaching(busid: string): Swept {
  return {
    name: `detach ${busid}`,
    failing: 'resumes',
    stage: stage(busid),
    world: () => smallWorld({ 1: busid }, ['1-1', busid]),
    run: (host, signal) => detachDevice(host, { domain: 1, devid: 0, port: 1 }, { signal }),
  };
}

function removing(destroy: boolean, lent: Record<string, string>): Swept {
  const full = Object.keys(lent).length > 0 ? ' with devices' : '';
  return {
    name: `${destroy ? 'destroy' : 'remove'} a controller${full}`,
    failing: 'resumes',
    // Without devices few calls matter; with them most are those of detaching one device, which is swept by itself.
    every: full ? 3 : 2,
    stage: stage(lent[1] ?? '2-1'),
    world: () => smallWorld(lent, ['1-1', lent[1] ?? '2-1', lent[2] ?? '2-1']),
    run: (host, signal) => removeController(host, { domain: 1, devid: 0, destroy }, { signal }),
  };
}

/** A world with something of everything that the doctor mends. */
async function brokenWorld(): Promise<SimHost> {
  const sim = await smallWorld({ 1: '2-1', 2: '3-6' });
  const dom0 = sim.store.handle(0);
  await dom0.write('/local/domain/0/backend/vusb/2/0/port/1', '1-1');
  await dom0.write('/libxl/usbback/3-7/3-7@1_0/driver_path', '/sys/bus/usb/drivers/cdc_ether');
  await dom0.write('/libxl/usbback/3-7/3-7@1_1/driver_path', '/sys/bus/usb/drivers/cdc_ether');
  await sim.usb.unbind('cdc_ether', '3-7:1.1');
  await dom0.write('/local/domain/0/backend/vusb/2/7/state', '6');
  await sim.usb.unbind('usbback', '3-6:1.1');
  await dom0.write('/local/domain/0/backend/vusb/2/0/port/2', '2-1');
  return sim;
}

const repairing: Swept = {
  name: 'doctor --fix',
  failing: 'resumes',
  stage: stage('3-6'),
  // It observes the host again and again: 600 calls, few of them new.
  every: 11,
  world: brokenWorld,
  run: (host, signal) => doctor(host, { fix: true, settleMs: 0, signal }),
};

/** All of them. */
export const OPERATIONS: readonly Swept[] = [
  {
    name: 'add a controller',
    failing: 'undoes',
    stage: stage('2-1'),
    world: () => smallWorld({}, ['1-1', '2-1']),
    run: (host, signal) => addController(host, { domain: 1, ports: 2 }, { signal }),
  },
  removing(false, {}),
  removing(true, {}),
  attaching('2-1', 0),
  attaching('2-1'),
  attaching('3-6', 0),
  attaching('3-7', 0),
  attaching('3-8', 0),
  detaching('2-1'),
  detaching('3-6'),
  detaching('3-7'),
  detaching('3-8'),
  removing(false, { 1: '3-6', 2: '2-1' }),
  removing(true, { 1: '3-7', 2: '3-8' }),
  repairing,
];
