/** What can be done: the calls of the daemon that do it, and what undoes it. Pure. */
import type { AnswerOf, RequestOf } from '../../src/api/index.js';
import { type AskRequest, type Assignment, guestName, type Place, type View } from './view.js';

/** The routes that change something here. */
type ChangeName = 'attach' | 'detach' | 'controllerRemove' | 'assign' | 'unassign' | 'answer' | 'doctorFix';

/** One call. */
export type Call = {
  readonly [Name in ChangeName]: { readonly route: Name; readonly body: RequestOf<Name> };
}[ChangeName];

/** What a call answered. */
export type Result = AnswerOf<ChangeName>;

/** Something that can be done. */
export interface Action {
  readonly title: string;
  /** What the button says. */
  readonly verb: string;
  readonly calls: readonly Call[];
  /** The devices and guests that it is about: when they change, it is planned again. */
  readonly busids: readonly string[];
  readonly domids: readonly number[];
  /** What is said when it is done. */
  readonly done: (results: readonly Result[]) => string;
  /** What is done after it: a device that was taken back is given to another guest. */
  readonly next?: { readonly verb: string; readonly giving: Omit<Giving, 'always'> } | undefined;
  /** What undoes it; absent: nothing does. */
  readonly undo?: ((results: readonly Result[]) => Action) | undefined;
}

/** What is chosen when a device is given to a guest. */
export interface Giving {
  readonly busid: string;
  readonly domid?: number | undefined;
  readonly devid?: number | undefined;
  readonly port?: number | undefined;
  /** Also make a rule. */
  readonly always: boolean;
  /** Why, although the host needs it. */
  readonly force?: string | undefined;
}

/** Names as they are known now. */
function names(view: View) {
  return {
    device: (busid: string): string =>
      view.devices.find((one) => one.busid === busid)?.name ??
      view.gone.find((one) => one.busid === busid)?.name ??
      busid,
    guest: (domid: number): string =>
      guestName(view.guests.find((one) => one.domid === domid) ?? { domid, name: undefined }),
  };
}

/** Gives a device to a guest; undefined: no guest is chosen yet. */
export function give(view: View, { busid, domid, devid, port, always, force }: Giving): Action | undefined {
  if (domid === undefined) return undefined;
  const { device, guest } = names(view);
  const body = {
    domain: domid,
    device: busid,
    ...(devid === undefined ? {} : { devid }),
    ...(port === undefined ? {} : { port }),
    ...(always ? { always } : {}),
    ...(force ? { force } : {}),
  };
  const before = view.guests.find((one) => one.domid === domid)?.controllers ?? [];
  const [deviceName, name] = [device(busid), guest(domid)];
  return {
    title: `Give ${deviceName} to ${name}`,
    verb: `Give it to ${name}`,
    calls: [{ route: 'attach', body }],
    busids: [busid],
    domids: [domid],
    done: ([result]) => {
      const at = (result as AnswerOf<'attach'>).result;
      const whole = `${deviceName} is in port ${at.port} of controller ${at.devid} of ${name}.`;
      return at.state === 'waiting' ? `${whole} The guest has not taken it yet.` : whole;
    },
    undo: ([result]) => {
      const at = (result as AnswerOf<'attach'>).result;
      const isNew = !before.some((one) => one.devid === at.devid);
      const back = takeBack(view, { busid, domid, devid: at.devid, port: at.port });
      const call: Call = isNew
        ? { route: 'controllerRemove', body: { domain: domid, devid: at.devid } }
        : back.calls[0]!;
      const rule: readonly Call[] =
        at.rule?.added === true ? [{ route: 'unassign', body: { domain: name, device: busid } }] : [];
      return { ...back, title: `Undo: ${back.title.toLowerCase()}`, calls: [...rule, call], undo: undefined };
    },
  };
}

/** A port of a guest that has a device. */
export interface PortOf {
  readonly busid: string;
  readonly domid: number;
  readonly devid: number;
  readonly port: number;
}

/** A place as it is named in calls. */
export function portOf({ guest, controller, port }: Place): PortOf {
  return { busid: port.busid!, domid: guest.domid, devid: controller.devid, port: port.port };
}

/** Takes a device back from a port, or frees the port of one that was pulled out. */
export function takeBack(view: View, { busid, domid, devid, port }: PortOf): Action {
  const { device, guest } = names(view);
  const isHere = view.devices.some((one) => one.busid === busid);
  const [deviceName, name] = [device(busid), guest(domid)];
  return {
    title: isHere ? `Take ${deviceName} back from ${name}` : `Free the port of ${deviceName} in ${name}`,
    verb: isHere ? 'Take it back' : 'Free the port',
    calls: [{ route: 'detach', body: { domain: domid, devid, port } }],
    busids: [busid],
    domids: [domid],
    done: () => (isHere ? `${deviceName} is back on the host.` : `Port ${port} of ${name} is free.`),
    undo: isHere ? () => undoOfTaking(view, { busid, domid, devid, port }) : undefined,
  };
}

/**
 * Takes a device from a guest in order to give it to another one, or to another port: two plans, since the second
 * depends on what the host looks like after the first.
 */
export function move(
  view: View,
  from: PortOf,
  giving: Omit<Giving, 'always'> & { readonly domid: number },
): Action {
  const { device, guest } = names(view);
  const name = guest(giving.domid);
  const back = takeBack(view, from);
  return {
    ...back,
    title: `${back.title}, to give it to ${name}`,
    next: { verb: `Give ${device(from.busid)} to ${name}…`, giving },
  };
}

function undoOfTaking(view: View, { busid, domid, devid, port }: PortOf): Action {
  const again = give(view, { busid, domid, devid, port, always: false })!;
  return { ...again, title: `Undo: ${again.title.toLowerCase()}`, undo: undefined };
}

/** Always gives a device to the guest that has it now. */
export function alwaysGive(view: View, { busid, domid }: PortOf): Action {
  const { device, guest } = names(view);
  const [deviceName, name] = [device(busid), guest(domid)];
  return {
    title: `Always give ${deviceName} to ${name}`,
    verb: 'Make the rule',
    calls: [{ route: 'assign', body: { domain: domid, device: busid } }],
    busids: [busid],
    domids: [domid],
    done: () => `${name} gets ${deviceName} whenever both are present.`,
    undo: () => ({
      title: `Undo: no longer always give ${deviceName} to ${name}`,
      verb: 'Remove the rule',
      calls: [{ route: 'unassign', body: { domain: name, device: busid } }],
      busids: [busid],
      domids: [domid],
      done: () => 'The rule is removed.',
    }),
  };
}

/** Removes a rule. What the guest has it keeps. */
export function removeRule({ file, line, rule, guest }: Assignment): Action {
  return {
    title: `Remove the rule for ${guest}`,
    verb: 'Remove the rule',
    calls: [{ route: 'unassign', body: { rule: `${file}:${line}` } }],
    busids: [],
    domids: [],
    done: () => `Removed: ${rule}`,
    undo: ([result]) => ({
      title: `Undo: make the rule for ${guest} again`,
      verb: 'Make the rule',
      calls: (result as AnswerOf<'unassign'>).result.rules.map((one) => ({
        route: 'assign',
        body: { rule: one },
      })),
      busids: [],
      domids: [],
      done: () => `Made again: ${rule}`,
    }),
  };
}

/** Answers a request. */
export function answer(view: View, { id, busid, domid }: AskRequest, grant: boolean): Action {
  const { device, guest } = names(view);
  const [deviceName, name] = [device(busid), guest(domid)];
  return {
    title: grant ? `Let ${name} have ${deviceName}` : `Do not give ${deviceName} to ${name}`,
    verb: grant ? 'Give it' : 'Do not give it',
    calls: [{ route: 'answer', body: { id, grant } }],
    busids: [busid],
    domids: [domid],
    done: () =>
      grant
        ? `${name} now has ${deviceName}.`
        : `You will be asked again when ${deviceName} is next plugged in.`,
    undo: grant
      ? () => ({
          title: `Undo: take ${deviceName} back from ${name}`,
          verb: 'Take it back',
          calls: [{ route: 'detach', body: { device: busid, domain: domid } }],
          busids: [busid],
          domids: [domid],
          done: () => `${deviceName} is back on the host.`,
        })
      : undefined,
  };
}

/** Repairs what the doctor has found. */
export function repair(): Action {
  return {
    title: 'Repair what was found',
    verb: 'Repair',
    calls: [{ route: 'doctorFix', body: {} }],
    busids: [],
    domids: [],
    done: ([result]) => {
      const { failures, remaining } = (result as AnswerOf<'doctorFix'>).result;
      if (failures.length > 0) return failures.join(' ');
      return remaining.some(({ severity }) => severity === 'wrong')
        ? 'Something is left over: see the findings.'
        : 'Repaired.';
    },
  };
}
