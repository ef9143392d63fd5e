/** The actions that a QEMU carries out. What counts before and after each command is what it has, never our memory. */
import { DeadlineError, withDeadline } from '../../async/index.js';
import {
  addController,
  addHostDevice,
  controllerId,
  hostDeviceId,
  isQmpError,
  type QmpCallOptions,
  removeDevice,
} from '../../qmp/index.js';
import { USBFS } from '../model/drivers.js';
import { PvusbError } from '../model/errors.js';
import { ConflictError, isDead } from '../model/failure.js';
import type { QemuDevice } from '../model/inventory.js';
import { DOMAINS } from '../model/layout.js';
import type { QemuAction } from '../model/plan.js';
import { capitalise, nameController, nameDomain, namePort } from '../model/wording.js';
import type { Host, Qemu } from '../observe/host.js';
import {
  ASK_WITHIN_MS,
  askQemu,
  type Belongings,
  belongingsOf,
  type FoundDevice,
  withQemu,
} from '../observe/qemu.js';
import { deadError } from '../types/qemu.js';
import type { Performing } from './performing.js';
import { stillHeld } from './still-held.js';

type Emulate = Extract<QemuAction, { do: 'emulate' }>;
type Unemulate = Extract<QemuAction, { do: 'unemulate' }>;
type Lend = Extract<QemuAction, { do: 'lend' }>;
type Unlend = Extract<QemuAction, { do: 'unlend' }>;
type Hold = Extract<QemuAction, { do: 'hold' }>;
type Release = Extract<QemuAction, { do: 'release' }>;

/** First and longest pause between two looks at what a QEMU does on its own. */
const FIRST_LOOK_MS = 20;
const LONGEST_LOOK_MS = 400;

/** How long QEMU may take to say what it has when it is asked again soon after. */
const LOOK_WITHIN_MS = 1_000;

/** How long QEMU may have a device in a port without having it open before it counts as unable to open it. */
const OPEN_WITHIN_MS = 2_000;

/**
 * Performs one action in a domain's QEMU.
 *
 * @throws {ConflictError} QEMU has something else there; nothing was done
 * @throws {QmpError} and {@link PvusbError} `not-opened`, `qemu-dead`, `qemu-timeout`, `state-timeout`
 */
export async function performInQemu(host: Host, action: QemuAction, call: Performing): Promise<void> {
  switch (action.do) {
    case 'emulate':
      return emulate(host, action, call);
    case 'unemulate':
      return unemulate(host, action, call);
    case 'lend':
      return lend(host, action, call);
    case 'unlend':
      return unlend(host, action, call.signal);
    case 'hold':
      return hold(host, action, call);
    case 'release':
      return release(host, action, call);
  }
}

/** What a command is to do, and how to see that it is done. */
interface Command {
  readonly act: (qemu: Qemu, has: Belongings) => Promise<void>;
  readonly isDone: (has: Belongings) => boolean;
}

/** Carries out a command. If its outcome is unknown QEMU is asked: if it is done it succeeded, otherwise it failed. */
async function settle(
  host: Host,
  domid: number,
  { act, isDone }: Command,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await withQemu(host, domid, { signal }, async (qemu) => act(qemu, await belongingsOf(qemu, { signal })));
  } catch (error) {
    if (!isQmpError(error, 'timeout', 'connection-lost', 'protocol')) throw error;
    const has = await withQemu(host, domid, { signal }, (qemu) => belongingsOf(qemu, { signal })).catch(
      (second: unknown) => {
        throw isDead(second) ? second : error;
      },
    );
    if (!isDone(has)) throw error;
  }
}

function emulate(host: Host, action: Emulate, call: Performing): Promise<void> {
  const { signal } = call;
  const { domid, devid, version, ports, isNew } = action;
  const isDone = ({ controllers }: Belongings): boolean => controllers.includes(devid);
  const act = async (qemu: Qemu, has: Belongings): Promise<void> => {
    if (!isDone(has)) return addController(qemu, { id: controllerId(devid), version, ports }, { signal });
    if (isNew)
      throw new ConflictError(`the QEMU of ${nameDomain(call, domid)} still has a controller ${devid}`);
  };
  return settle(host, domid, { act, isDone }, signal);
}

async function unemulate(host: Host, action: Unemulate, call: Performing): Promise<void> {
  const { signal } = call;
  const { domid, devid, withinMs } = action;
  const isDone = ({ controllers }: Belongings): boolean => !controllers.includes(devid);
  const act = async (qemu: Qemu, has: Belongings): Promise<void> => {
    if (!isDone(has)) await removeDevice(qemu, controllerId(devid), { signal, withinMs });
  };
  try {
    await settle(host, domid, { act, isDone }, signal);
  } catch (error) {
    // A QEMU that is dead has nothing; a guest that is not to be waited for has been asked.
    if (isDead(error) || (action.mayStay && isStillThere(error))) return;
    if (!isStillThere(error)) throw error;
    // Only if QEMU says so is it the guest that takes its time.
    const { health, controllers } = await askQemu(host, domid, { signal, withinMs: LOOK_WITHIN_MS });
    if (health !== 'alive') throw error;
    if (!controllers.includes(devid)) return;
    const sentence = `The guest has not released ${nameController(call, action)} within ${withinMs / 1000} s.`;
    throw stillHeld(call, { domid, devid }, sentence, error);
  }
}

function isStillThere(error: unknown): boolean {
  return isQmpError(error, 'timeout') && error.operation.startsWith('device_del');
}

async function lend(host: Host, action: Lend, call: Performing): Promise<void> {
  const { signal } = call;
  const { domid, devid, port, busid, bus, address } = action;
  const place = namePort(call, action);
  const isIt = (device: FoundDevice | undefined): boolean =>
    device?.open === true && device.hostbus === bus && device.hostaddr === address;
  const act = async (qemu: Qemu, has: Belongings): Promise<void> => {
    const there = has.devices.find(inPort(devid, port));
    if (isIt(there)) return;
    if (there) throw new ConflictError(`QEMU has something else in ${place}`);
    // libxl finds a device again by this id; if it is taken by what was there before a replug, another one will do.
    const usual = hostDeviceId(bus, address);
    const id = has.ids.has(usual) ? `pvusb-${devid}-${port}` : usual;
    const wanted = {
      id,
      bus: `${controllerId(devid)}.0`,
      port: String(port),
      hostbus: bus,
      hostaddr: address,
    };
    await addHostDevice(qemu, wanted, { signal });
  };
  const isDone = ({ devices }: Belongings): boolean => isIt(devices.find(inPort(devid, port)));
  try {
    await settle(host, domid, { act, isDone }, signal);
  } catch (error) {
    if (!isQmpError(error, 'refused')) throw error;
    const sentence = `QEMU could not take ${busid} for ${place}: it says "${error.desc ?? ''}".`;
    throw new PvusbError('not-opened', sentence, { where: { domid, devid, port, busid }, cause: error });
  }
}

function inPort(devid: number, port: number) {
  return (device: QemuDevice): boolean =>
    device.type === 'devicemodel' && device.devid === devid && device.port === port;
}

/** Not what another program has put into the port meanwhile. */
function isMeant({ devid, port, busid }: Hold | Release) {
  return ({ type, socket = busid, ...at }: QemuDevice): boolean =>
    type === 'qusb' && at.devid === devid && at.port === port && socket === busid;
}

/** By port, whatever id it has and whatever address it had: that also finds a replugged device. */
async function unlend(host: Host, action: Unlend, signal: AbortSignal | undefined): Promise<void> {
  const { domid, devid, port, only } = action;
  const isIt = (device: FoundDevice): boolean =>
    inPort(devid, port)(device) &&
    (only === undefined || (device.hostbus === only.bus && device.hostaddr === only.address));
  const act = async (qemu: Qemu, { devices }: Belongings): Promise<void> => {
    for (const { id } of devices.filter(isIt)) await removeDevice(qemu, id, { signal });
  };
  try {
    await settle(host, domid, { act, isDone: ({ devices }) => !devices.some(isIt) }, signal);
  } catch (error) {
    if (!isDead(error)) throw error;
  }
}

/**
 * Follows what QEMU does on its own until `look` is satisfied; false when that takes too long. On a busy host it may be
 * this process that had no time: what counts is a look that begins when time is up, and QEMU, which answers in between
 * its work, may take longer for that one.
 */
async function follow(
  host: Host,
  withinMs: number,
  signal: AbortSignal | undefined,
  look: (call: QmpCallOptions) => Promise<boolean>,
): Promise<boolean> {
  try {
    return await withDeadline(host.clock, { withinMs, signal }, async (limited) => {
      for (let pauseMs = FIRST_LOOK_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_LOOK_MS)) {
        if (await look({ signal: limited, withinMs: LOOK_WITHIN_MS })) return true;
        await host.clock.sleep(pauseMs, limited);
      }
    });
  } catch (error) {
    if (signal?.aborted || !(error instanceof DeadlineError)) throw error;
    return look({ signal, withinMs: ASK_WITHIN_MS });
  }
}

async function hold(host: Host, action: Hold, call: Performing): Promise<void> {
  const { signal } = call;
  const { domid, devid, port, busid, withinMs } = action;
  const where = { domid, devid, port, busid };
  const place = namePort(call, action);
  const failed = (): never => {
    throw new PvusbError(
      'not-opened',
      `${capitalise(place)} was given ${busid}, but QEMU could not open it.`,
      { where },
    );
  };
  let closedSinceMs: number | undefined;
  const taken = await follow(host, withinMs, signal, async (limited) => {
    const answer = await askQemu(host, domid, limited);
    if (answer.health === 'dead') throw deadError(call, domid, where);
    if (answer.health === 'silent') {
      await requireAlive(host, action, { ...call, signal: limited.signal });
      return isOffDrivers(host, action, limited.signal);
    }
    const device = answer.devices.find(isMeant(action));
    if (!device || device.open) return device !== undefined;
    closedSinceMs ??= host.clock.nowMs();
    return host.clock.nowMs() - closedSinceMs >= OPEN_WITHIN_MS && failed();
  });
  if (taken) return;
  if (closedSinceMs !== undefined) failed();
  const sentence = `The QEMU of ${nameDomain(call, domid)} has not taken ${busid} within ${withinMs / 1000} s.`;
  throw new PvusbError('qemu-timeout', sentence, { where });
}

/** It is no use waiting for a QEMU that is silent because its guest is gone. */
async function requireAlive(
  host: Host,
  { domid, devid, port, busid }: Hold,
  call: Performing,
): Promise<void> {
  const [domain] = await host.xenstore.readMany([`${DOMAINS}/${domid}`], call);
  if (domain !== undefined) return;
  const where = { domid, devid, port, busid };
  throw new PvusbError('domain-gone', `${nameDomain(call, domid, 'Domain')} is gone.`, { where });
}

/** All that can be seen of a QEMU that does not answer: it takes a device's interfaces from their drivers. */
async function isOffDrivers(host: Host, { busid }: Hold, signal: AbortSignal | undefined): Promise<boolean> {
  const [device] = await host.sysfs.devices({ signal, wanted: [busid] });
  return device?.interfaces.every(({ driver }) => driver === undefined || driver === USBFS) ?? true;
}

async function release(host: Host, action: Release, call: Performing): Promise<void> {
  const { signal } = call;
  const { domid, devid, port, busid, withinMs } = action;
  const gone = await follow(host, withinMs, signal, async (limited) => {
    const { health, devices } = await askQemu(host, domid, limited);
    if (health === 'alive') return !devices.some(isMeant(action));
    if (health === 'dead') return true;
    const [device] = await host.sysfs.devices({ signal: limited.signal, wanted: [busid] });
    return device?.interfaces.every(({ driver }) => driver !== USBFS) ?? true;
  });
  if (gone) return;
  const sentence = `The QEMU of ${nameDomain(call, domid)} has not released ${busid} within ${withinMs / 1000} s.`;
  throw new PvusbError('qemu-timeout', sentence, { where: { domid, devid, port, busid } });
}
