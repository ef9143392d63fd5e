/** The commands of plan scripts: those of the product, which can be planned; what else happens is in `script-events.ts`. */
import {
  addController,
  applyUsb,
  attachDevice,
  attachVirtual,
  type ControllerType,
  detachDevice,
  doctor,
  isPvusbError,
  type Outcome,
  parseVirtualName,
  quiesceDomain,
  reconcile,
  releaseDomain,
  removeController,
  restoreDomain,
  startQemu,
  stopQemu,
  type WantedController,
  type WantedDevice,
} from '../../../src/pvusb/index.js';
import { correctAddresses } from '../../../src/pvusb/verbs/addresses.js';
import { reviveDevice } from '../../../src/pvusb/verbs/revive.js';
import { formatRule, parseRules } from '../../../src/rules/index.js';
import { parseBusid } from '../../../src/sysfs/busid.js';
import { fields, planText, words } from './plan-text.js';
import { EVENTS } from './script-events.js';
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
  /** `attach DOMAIN DEVICE [devid=N] [port=N] [force=REASON]`; the device may be a virtual one */
  attach: ({ host }, line, options) => {
    const names = { domain: line.word('a domain'), device: line.word('a device') };
    const at = { devid: line.numeric('devid'), port: line.numeric('port') };
    const request = { ...names, ...at, force: line.option('force') };
    line.end();
    const device = parseVirtualName(request.device);
    return device === undefined
      ? planned(attachDevice(host, request, { ...options, watchMs: 0 }))
      : planned(attachVirtual(host, { ...request, device }, { ...options, watchMs: 0 }));
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
  /** `quiesce DOMAIN [controllers]` */
  quiesce: async ({ host }, line, options) => {
    const controllers = line.flag('controllers');
    const request = { domain: line.word('a domain'), controllers };
    line.end();
    const { plans, ...result } = await quiesceDomain(host, request, options);
    return [fields(result).join(' '), ...plans.map(planText)].join('\n');
  },
  /** `restore TOKEN` */
  restore: async ({ host }, line, options) => {
    const token = line.word('a token');
    line.end();
    const { plans, changes, unrestored } = await restoreDomain(host, token, options);
    const refused = unrestored.map(({ error, ...what }) => words('unrestored', fields(what), error.message));
    const made = plans.map((plan, i) => [fields(changes[i]!).join(' '), planText(plan)].join('\n'));
    return [...refused, ...made].join('\n\n');
  },
  /** `start-qemu DOMAIN` */
  'start-qemu': ({ host }, line, options) => {
    const request = { domain: line.word('a domain') };
    line.end();
    return planned(startQemu(host, request, options));
  },
  /** `stop-qemu DOMAIN` */
  'stop-qemu': ({ host }, line, options) => {
    const request = { domain: line.word('a domain') };
    line.end();
    return planned(stopQemu(host, request, options));
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
