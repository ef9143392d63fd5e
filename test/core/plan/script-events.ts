/** What happens to the host of a plan script, besides the commands of the product. */
import { BACKEND_ANNOUNCEMENT } from '../../../src/pvusb/model/layout.js';
import { controllerNodes, rebootDomain } from '../../../src/sim/index.js';
import type { ScriptHost } from './script-host.js';
import type { ScriptLine } from './script-line.js';

/** By the word that a line begins with. */
export const EVENTS: Readonly<Record<string, (on: ScriptHost, line: ScriptLine) => Promise<unknown>>> = {
  /** `write PATH [VALUE]`, as another toolstack would */
  write: ({ lab }, line) => lab.write(line.word('a path'), line.rest()),
  /** `rm PATH` */
  rm: ({ lab }, line) => lab.rm(line.word('a path')),
  /** `saved DOMID JSON`: libxl's file of a domain */
  saved: async ({ saved }, line) => saved.set(line.number('a domain'), Buffer.from(`${line.rest()}\n\0`)),
  /** `rule RULE` */
  rule: async ({ rules }, line) => void rules.push(line.rest()),
  /** `unplug BUSID` */
  unplug: ({ lab }, line) => lab.sim.unplug(line.word('a device')),
  /** `plug BUSID [of=BUSID] [serial=TEXT]`: the world's device with that name, or with another one */
  plug: ({ lab, world }, line) => {
    const busid = line.word('a device');
    const name = line.option('of') ?? busid;
    const serial = line.option('serial');
    const spec = world.devices.find((device) => device.busid === name);
    if (!spec) throw new Error(`the world has no ${name}`);
    const { address: _, ...again } = spec;
    return lab.sim.plug({ ...again, busid, ...(serial === undefined ? {} : { serial }) });
  },
  /** `bind DRIVER INTERFACE` */
  bind: ({ lab }, line) => lab.sim.usb.bind(line.word('a driver'), line.word('an interface')),
  /** `unbind DRIVER INTERFACE` */
  unbind: ({ lab }, line) => lab.sim.usb.unbind(line.word('a driver'), line.word('an interface')),
  /** `open INTERFACE`: a program takes it through usbfs */
  open: async ({ lab }, line) => {
    const id = line.word('an interface');
    await lab.sim.usb.disconnect(id);
    await lab.sim.usb.claim(id);
  },
  /** `usbback never`: it does not take new controllers; `usbback gone`: it is unloaded */
  usbback: async ({ lab }, line) => {
    if (line.flag('never')) lab.sim.usbback!.manner = 'never';
    else if (line.flag('gone')) await lab.sim.unloadUsbback();
  },
  /** `backend`: pvusb's own is announced; what it shows of ports is for the script to write */
  backend: ({ lab }) => lab.write(BACKEND_ANNOUNCEMENT, 'a process'),
  /** `served DOMID DEVID ports=N`: a controller of type pv that it serves, and that the guest is connected to */
  served: async ({ lab }, line) => {
    const at = { domid: line.number('a domain'), devid: line.number('a controller') };
    const shape = { type: 'pv', version: 2, portCount: line.numeric('ports')!, backendDomid: 0 };
    const states = { online: true, backendState: 4, frontendState: 4 };
    for (const [path, value] of controllerNodes({ ...at, ...shape, ...states, ports: new Map() }))
      await lab.write(path, value);
  },
  /** `kill-qemu DOMID`: the process dies */
  'kill-qemu': (on, line) => on.qemu(line.number('a domain')).kill(),
  /** `qemu-refuses DOMID BUSID`: it cannot open the device */
  'qemu-refuses': async (on, line) => on.qemu(line.number('a domain')).refuseOpen(line.word('a device')),
  /** `qmp DOMID COMMAND JSON` */
  qmp: (on, line) =>
    on.qemu(line.number('a domain')).execute(line.word('a command'), JSON.parse(line.rest())),
  /** `kill DOMID [leaving-records]` */
  kill: ({ lab }, line) =>
    lab.sim.killDomain(line.number('a domain'), { leaveRecords: line.flag('leaving-records') }),
  /** `reboot DOMID as=DOMID`: as libxl does, with the controllers of the world, without their devices */
  reboot: ({ lab, world }, line) => {
    const before = line.number('a domain');
    const domid = line.numeric('as')!;
    const domain = world.domains.find((other) => other.domid === before)!;
    const controllers = world.controllers.filter((controller) => controller.domid === before);
    return rebootDomain(lab.sim, {
      domain,
      domid,
      controllers: controllers.map((controller) => ({ ...controller, ports: new Map() })),
    });
  },
};
