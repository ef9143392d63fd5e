/** The small hosts that the sweep and the random runs work on. */
import type { ControllerType } from '../../src/pvusb/index.js';
import { SimHost, type SimQemu, shortWorld, type World } from '../../src/sim/index.js';
import { SavedFiles, savedFile, uuidOf } from './saved-files.js';

/** The devices of every world: a single interface, two claimed by one driver in two ways, one without a driver. */
const DEVICES = [
  { busid: '1-1', id: '46f4:0001', serial: 'LAB0002', interfaces: ['08/06/50'] },
  { busid: '2-1', id: '0627:0001', serial: '89126', interfaces: ['03/01/02'] },
  { busid: '3-6', id: '46f4:0002', serial: 'AUDIO', interfaces: ['01/01/04', '01/02/00'] },
  { busid: '3-7', id: '0525:a4a2', class: '02/00/00', interfaces: ['02/06/00', '0a/00/00'] },
  { busid: '3-8', id: '08e6:4433', interfaces: ['0b/00/00'] },
];

/** What differs between small worlds. */
interface SmallWorld {
  /** Of the controllers, and so of the guests; default pv. */
  readonly type?: ControllerType;
  /** What guest 1's controller holds, by port; it has none when this is absent. */
  readonly lent?: Readonly<Record<string, string>>;
  /** The devices that are plugged in; default all. */
  readonly busids?: readonly string[];
  /** Seed for the hostile guests. */
  readonly seed?: number;
}

/** Checked and completed once: a sweep starts thousands of times with the same one. */
const worlds = new Map<string, World>();

function worldOf({ type = 'pv', lent, busids, seed = 7 }: SmallWorld): World {
  const shape = shapeOf(type);
  const guest = { type: type === 'devicemodel' ? 'hvm' : 'pv', deviceModel: type !== 'pv' } as const;
  return shortWorld({
    usbback: type === 'pv',
    devices: DEVICES.filter(({ busid }) => busids?.includes(busid) ?? true),
    domains: [
      { domid: 1, name: 'one', uuid: uuidOf(1), hostile: seed, ...guest },
      { domid: 2, name: 'two', uuid: uuidOf(2), hostile: seed + 1, ...guest },
    ],
    controllers: [...(lent ? [{ domid: 1, ...shape, devices: lent }] : []), { domid: 2, ...shape }],
  });
}

/** Of the emulated controllers only an xHCI can have as few ports as the other types. */
function shapeOf(type: ControllerType) {
  return { type, devid: 0, ports: 2, version: type === 'devicemodel' ? 3 : 2 };
}

/** Guests 1 and 2, which are not trusted; guest 2 has a controller, guest 1 one if it is given devices. */
export async function smallWorld(options: SmallWorld): Promise<SimHost> {
  const { type = 'pv', lent } = options;
  const key = JSON.stringify(options);
  const world = worlds.get(key) ?? worldOf(options);
  worlds.set(key, world);
  const sim = await SimHost.create(world);
  const { devid, version, ports } = shapeOf(type);
  const usbctrls = [{ type, devid, version, ports }];
  const usbdevs = Object.entries(lent ?? {}).map(([port, busid]) => entryOf(sim, Number(port), busid));
  const files = SavedFiles.of(sim);
  files.put(1, savedFile(lent ? { usbctrls, usbdevs } : { usbctrls: [], usbdevs: [] }));
  files.put(2, savedFile({ usbctrls, usbdevs: [] }));
  return sim;
}

/** What a file says about a device in a port of controller 0. */
function entryOf(sim: SimHost, port: number, busid: string): unknown {
  const hostbus = Number.parseInt(busid, 10);
  return { ctrl: 0, port, 'type.hostdev': { hostbus, hostaddr: sim.usb.device(busid)!.address } };
}

/** A world with one of everything that the doctor fixes for type pv. */
export async function brokenWorld(): Promise<SimHost> {
  const sim = await smallWorld({ lent: { 1: '2-1', 2: '3-6' } });
  const dom0 = sim.store.handle(0);
  await dom0.write('/local/domain/0/backend/vusb/2/0/port/1', '1-1');
  await leaveRecords(sim);
  await dom0.write('/local/domain/0/backend/vusb/2/7/state', '6');
  await sim.usb.unbind('usbback', '3-6:1.1');
  await dom0.write('/local/domain/0/backend/vusb/2/0/port/2', '2-1');
  return sim;
}

/** The same for type qusb: a port that QEMU cannot serve, one of two for a device, one of a dead QEMU. */
export async function brokenQusbWorld(): Promise<SimHost> {
  const sim = await smallWorld({ type: 'qusb', lent: { 1: '2-1' } });
  const dom0 = sim.store.handle(0);
  const backends = '/local/domain/0/backend/qusb';
  await leaveRecords(sim);
  sim.qemus.get(1)!.refuseOpen('3-6');
  await dom0.write(`${backends}/1/0/port/2`, '3-6');
  await dom0.write(`${backends}/2/7/state`, '6');
  await dom0.write(`${backends}/2/0/port/1`, '1-1');
  await sim.idle();
  await sim.qemus.get(2)!.kill();
  await dom0.write(`${backends}/2/0/port/2`, '2-1');
  await sim.idle();
  return sim;
}

/** The same for type devicemodel: what QEMU has and no record names, and the reverse. */
export async function brokenEmulatedWorld(): Promise<SimHost> {
  const sim = await smallWorld({ type: 'devicemodel', lent: { 1: '2-1' } });
  const dom0 = sim.store.handle(0);
  const records = (domid: number): string => `/libxl/${domid}/device/vusb`;
  await leaveRecords(sim);
  const [one, two] = [sim.qemus.get(1)!, sim.qemus.get(2)!];
  const xhci = { driver: 'nec-usb-xhci', p2: 2, p3: 2 };
  await sim.addController({ ...EMULATED, domid: 1, devid: 1 });
  await dom0.write(`${records(1)}/1/port/1`, '3-6');
  await giveDevice(sim, one, { bus: 'xenusb-1.0', port: '2', busid: '3-8' });
  await one.execute('device_add', { ...xhci, id: 'xenusb-5' });
  for (const [key, value] of [
    ['type', 'devicemodel'],
    ['usb-ver', '3'],
    ['num-ports', '1'],
    ['port/1', ''],
  ])
    await dom0.write(`${records(1)}/7/${key}`, value!);
  await dom0.write(`${records(2)}/0/port/1`, '1-1');
  await giveDevice(sim, two, { bus: 'xenusb-0.0', port: '1', busid: '1-1' });
  await sim.idle();
  await two.kill();
  return sim;
}

const EMULATED = {
  type: 'devicemodel',
  version: 3,
  portCount: 2,
  backendDomid: 0,
  online: true,
  ports: new Map<number, string>(),
} as const;

/**
 * Records of an interrupted detach: one of two interfaces has its driver again. And saved configurations that another
 * program has left behind: one says too much, one too little.
 */
async function leaveRecords(sim: SimHost): Promise<void> {
  const dom0 = sim.store.handle(0);
  const files = SavedFiles.of(sim);
  files.edit(1, (config) => config.withDevice({ ctrl: 5, port: 2, hostbus: 9, hostaddr: 9 }));
  files.edit(2, (config) => config.withoutController(0));
  await dom0.write('/libxl/usbback/3-7/3-7@1_0/driver_path', '/sys/bus/usb/drivers/cdc_ether');
  await dom0.write('/libxl/usbback/3-7/3-7@1_1/driver_path', '/sys/bus/usb/drivers/cdc_ether');
  await sim.usb.unbind('cdc_ether', '3-7:1.1');
}

async function giveDevice(
  sim: SimHost,
  qemu: SimQemu,
  { busid, ...at }: { readonly bus: string; readonly port: string; readonly busid: string },
): Promise<void> {
  const hostbus = Number.parseInt(busid, 10);
  const hostaddr = sim.usb.device(busid)!.address;
  const id = `xenusb-${hostbus}-${hostaddr}`;
  await qemu.execute('device_add', { driver: 'usb-host', id, ...at, hostbus, hostaddr });
}
