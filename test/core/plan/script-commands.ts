/** The commands of plan scripts: those of the product, which can be planned, and what else happens to a host. */
import {
  addController,
  applyUsb,
  attachDevice,
  type ControllerType,
  detachDevice,
  doctor,
  isPvusbError,
  type Outcome,
  reconcile,
  releaseDomain,
  removeController,
  type WantedController,
  type WantedDevice,
} from '../../../src/pvusb/index.js';
import { correctAddresses } from '../../../src/pvusb/verbs/addresses.js';
import { reviveDevice } from '../../../src/pvusb/verbs/revive.js';
import { formatRule, parseRules } from '../../../src/rules/index.js';
import { rebootDomain } from '../../../src/sim/index.js';
import { parseBusid } from '../../../src/sysfs/busid.js';
import { fields, planText, words } from './plan-text.js';
import type { ScriptHost } from './script-host.js';
import { ScriptLine } from './script-line.js';

/** A command of the product: returns its plans as text; carried out unless it is a dry run. */
type Operation = (on: ScriptHost, line: ScriptLine, options: { readonly dryRun: boolean }) => Promise<string>;

const OPERATIONS: Readonly<Record<string, Operation>> = {
  /** `add DOMAIN [type=pv|qusb|devicemodel] [version=N] [ports=N] [devid=N] [backend=DOMAIN]` */
  add: ({ host }, line, options) => {
    const domain = line.word('a domain');
    const backendDomname = line.option('backend');
    const request = { domain, ...shapeIn(line), devid: line.numeric('devid'), backendDomname };
    line.end();
    return planned(addController(host, request, options));
  },
  /** `attach DOMAIN DEVICE [devid=N] [port=N] [force=REASON]` */
  attach: ({ host }, line, options) => {
    const names = { domain: line.word('a domain'), device: line.word('a device') };
    const at = { devid: line.numeric('devid'), port: line.numeric('port') };
    const request = { ...names, ...at, force: line.option('force') };
    line.end();
    return planned(attachDevice(host, request, { ...options, watchMs: 0 }));
  },
  /** `detach DEVICE [domain=NAME]`, or `detach DOMAIN DEVID PORT` */
  detach: ({ host }, line, options) => {
    const [first, second, third] = line.rest().split(' ');
    const domain = second?.startsWith('domain=') ? second.slice('domain='.length) : undefined;
    const request =
      third === undefined
        ? { device: first!, domain }
        : { domain: first!, devid: Number(second), port: Number(third) };
    return planned(detachDevice(host, request, options));
  },
  /** `remove DOMAIN DEVID` */
  remove: ({ host }, line, options) => {
    const request = { domain: line.word('a domain'), devid: line.number('a controller') };
    line.end();
    return planned(removeController(host, request, options));
  },
  /** `destroy DOMAIN DEVID` */
  destroy: ({ host }, line, options) => {
    const request = { domain: line.word('a domain'), devid: line.number('a controller'), destroy: true };
    line.end();
    return planned(removeController(host, request, options));
  },
  /** `release DOMAIN` */
  release: ({ host }, line, options) => {
    const request = { domain: line.word('a domain') };
    line.end();
    return planned(releaseDomain(host, request, options));
  },
  /** `apply DOMAIN [adding] [controller=0,type=qusb,version=2,ports=4]... [device=4-1,devid=0,port=2]...` */
  apply: async ({ host }, line, options) => {
    const domain = line.word('a domain');
    const addsOnly = line.flag('adding');
    const controllers = line.all('controller').map(wantedController);
    const devices = line.all('device').map(wantedDevice);
    line.end();
    const request = { domain, usb: { controllers, devices }, addsOnly };
    const { plans, changes } = await applyUsb(host, request, options);
    return plans.map((plan, i) => [fields(changes[i]!).join(' '), planText(plan)].join('\n')).join('\n\n');
  },
  /** `reconcile [DOMAIN] [moving] [following=BUSID:LINE]`: a device that stands in for the one of a rule */
  reconcile: async ({ host }, line, options) => {
    const moves = line.flag('moving');
    const [busid, number] = line.option('following')?.split(':') ?? [];
    const domain = line.rest() || undefined;
    const { rules } = parseRules((await host.rules?.read()) ?? []);
    const rule = rules.find(({ place }) => place.line === Number(number));
    const followed = rule ? [{ busid: parseBusid(busid!)!, rule }] : [];
    const { assignments, changes, plans, unmet } = await reconcile(host, {
      ...options,
      domain,
      moves,
      followed,
    });
    const states = assignments.map(({ rule, ...state }) => words(formatRule(rule), fields(state)));
    const refused = unmet.map(({ error, ...want }) => words('unmet', fields(want), error.message));
    const made = plans.map((plan, i) => [fields(changes[i]!).join(' '), planText(plan)].join('\n'));
    return [[...states, ...refused].join('\n'), ...made].join('\n\n');
  },
  /** `correct DOMID`: the addresses in its saved configuration, as a watch does */
  correct: ({ host }, line, options) => {
    const request = { domid: line.number('a domain') };
    line.end();
    return planned(correctAddresses(host, request, options));
  },
  /** `revive BUSID`: as a watch does with a device that a dead QEMU has left behind */
  revive: async ({ host }, line, options) => {
    const busid = parseBusid(line.word('a device'))!;
    line.end();
    const plan = await reviveDevice(host, busid, options);
    return plan ? planText(plan) : '';
  },
  /** `doctor` */
  doctor: async ({ host }, line, { dryRun }) => {
    line.end();
    const { findings, plans } = await doctor(host, { settleMs: 0, fix: !dryRun });
    return findings.map(({ finding }, i) => `${finding}: ${planText(plans[i]!)}`).join('\n\n');
  },
};

/** What happens to a host. */
const EVENTS: Readonly<Record<string, (on: ScriptHost, line: ScriptLine) => Promise<unknown>>> = {
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

/** Carries out a command, and waits until the host has nothing left to do. Throws for an unknown command, or if it fails. */
export async function run(on: ScriptHost, text: string): Promise<void> {
  const line = new ScriptLine(text);
  const name = line.word('a command');
  const operation = OPERATIONS[name];
  const event = EVENTS[name];
  if (operation) await operation(on, line, { dryRun: false });
  else if (event) await event(on, line);
  else throw new Error(`there is no command "${name}"`);
  line.end();
  await on.lab.sim.idle();
}

/** What a command of the product would do, or why it is refused. Throws for an unknown command, or if it fails otherwise. */
export async function plannedText(on: ScriptHost, text: string): Promise<string> {
  const line = new ScriptLine(text);
  const name = line.word('a command');
  const operation = OPERATIONS[name];
  if (!operation) throw new Error(`there is no command "${name}" that can be planned`);
  try {
    return (await operation(on, line, { dryRun: true })) || 'nothing';
  } catch (error) {
    if (!isPvusbError(error) || error.code === 'internal') throw error;
    return `refused, ${error.code}: ${error.message} (${fields(error.where).join(' ')})`;
  }
}

/** What an operation says that it would do, and its plan. */
async function planned(outcome: Promise<Outcome<object>>): Promise<string> {
  const { plan, result } = await outcome;
  return [fields(result).join(' '), planText(plan)].join('\n');
}

function shapeIn(line: ScriptLine): Pick<WantedController, 'type' | 'version' | 'ports'> {
  const type = line.option('type') as ControllerType | undefined;
  return { type, version: line.numeric('version'), ports: line.numeric('ports') };
}

function wantedController(text: string): WantedController {
  const [devid, ...options] = text.split(',');
  const line = new ScriptLine(options.join(' '));
  const wanted = { devid: Number(devid), ...shapeIn(line) };
  line.end();
  return wanted;
}

function wantedDevice(text: string): WantedDevice {
  const [device, ...options] = text.split(',');
  const line = new ScriptLine(options.join(' '));
  const wanted = { device: device!, devid: line.numeric('devid'), port: line.numeric('port') };
  line.end();
  return wanted;
}
