/** Starting and ending a QEMU of ours, and announcing it where libxl looks for those that it has started. */
import { PvusbError } from '../model/errors.js';
import {
  DEVICE_MODELS,
  DOMAINS,
  deviceModelPath,
  deviceModelPidPath,
  ownNodesPath,
  ownQemuPath,
} from '../model/layout.js';
import type { Action } from '../model/plan.js';
import { type Named, nameDomain } from '../model/wording.js';
import type { Host } from '../observe/host.js';
import { prune } from './commit.js';
import type { Performing } from './performing.js';

type Start = Extract<Action, { do: 'start-qemu' }>;

/** Pause between two looks at a QEMU that starts. */
const PAUSE_MS = 100;

/**
 * Starts a QEMU, and announces it before it is waited for: whatever happens from then on, libxl ends it with the domain.
 *
 * @throws {PvusbError} `qemu-not-started`
 */
export async function startQemu(host: Host, action: Start, call: Performing): Promise<void> {
  const { domid, withinMs } = action;
  const { signal } = call;
  const where = { domid };
  const failed = (why: string, cause?: unknown): PvusbError => {
    const sentence = `A QEMU for ${nameDomain(call, domid)} could not be started: ${why}.`;
    return new PvusbError('qemu-not-started', sentence, { where, cause });
  };
  const { qemuRunner: runner } = host;
  if (!runner) throw failed('this host cannot start any');
  const log = runner.logOf(action);
  let process: string;
  try {
    process = await runner.start(action);
  } catch (error) {
    throw failed(error instanceof Error ? error.message : String(error), error);
  }
  try {
    await announce(host, domid, process, call);
  } catch (error) {
    await runner.end(process, domid);
    throw error;
  }
  const endMs = host.clock.nowMs() + withinMs;
  for (;;) {
    const [state] = await host.xenstore.readMany([`${deviceModelPath(domid)}/state`], { signal });
    if (state === 'running') return;
    if (!(await runner.isAlive(process))) throw failed(`it has ended: see ${log}`);
    if (host.clock.nowMs() >= endMs) throw failed(`it is not running after ${withinMs / 1000} s: see ${log}`);
    await host.clock.sleep(PAUSE_MS, signal);
  }
}

async function announce({ xenstore }: Host, domid: number, process: string, named: Named): Promise<void> {
  const pid = process.split(' ')[0]!;
  await xenstore.transaction(async (nodes) => {
    const [domain, own] = await nodes.readMany([`${DOMAINS}/${domid}/domid`, ownQemuPath(domid)]);
    if (domain === undefined)
      throw new PvusbError('domain-gone', `Domain ${domid} has died.`, { where: { domid } });
    // As the plan has left it; otherwise "qemu stop" came in between.
    if (own !== '') {
      const sentence = `The QEMU of ${nameDomain(named, domid)} was stopped while it was starting.`;
      throw new PvusbError('qemu-not-started', sentence, { where: { domid } });
    }
    await nodes.write(ownQemuPath(domid), process);
    await nodes.write(deviceModelPidPath(domid), pid);
    // As libxl writes it: the guest may read it.
    await nodes.setPermissions(deviceModelPidPath(domid), [
      { domid: 0, access: 'none' },
      { domid, access: 'read' },
    ]);
  });
}

/** Ends the QEMU that we have started, if we have, and takes back what was announced. */
export async function endQemu(host: Host, domid: number): Promise<void> {
  const { xenstore, qemuRunner } = host;
  const [process] = await xenstore.readMany([ownQemuPath(domid)]);
  if (process === undefined) return;
  // Empty: it was not started yet, or whoever did was killed before it could say so.
  const left = process === '' ? await qemuRunner?.find(domid) : [process];
  for (const one of left ?? []) await qemuRunner?.end(one, domid);
  await xenstore.transaction(async (nodes) => {
    const [now] = await nodes.readMany([ownQemuPath(domid)]);
    if (now !== process) return;
    for (const path of [ownQemuPath(domid), deviceModelPidPath(domid), deviceModelPath(domid)])
      await nodes.rm(path);
    for (const path of [ownNodesPath(domid), `${DOMAINS}/${domid}/image`, DEVICE_MODELS])
      await prune(nodes, { edit: 'prune', path }, undefined);
  });
}
