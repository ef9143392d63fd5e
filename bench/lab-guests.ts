/** What `pvusb backend` takes while it serves eight guests on a real Xen that do nothing: memory, and wake-ups. */
import type { Lab } from '../lab/lab/lab.js';
import type { Goal } from './report.js';

/** A device for each of eight guests: the sticks, keyboard, tablet, serial line, mouse, sound and card reader. */
const BUSIDS = ['4-1', '1-1', '3-2', '3-3', '3-4', '3-5.1', '3-6', '3-8'] as const;

const MEMORY_MAX_KB = 120 * 1024;
const IDLE_S = 30;
const SETTLED_S = 40;

/** The backend's resident memory, in KB. */
async function memoryOf(lab: Lab, pid: string): Promise<number> {
  const { stdout } = await lab.dom0(`awk '/VmRSS/ { print $2 }' /proc/${pid}/status`);
  return Number(stdout);
}

/**
 * How often the backend's threads went to sleep while nobody asked for anything (proc(5): voluntary_ctxt_switches), once
 * V8 has tidied its memory up: that takes it up to three looks, 8 s apart.
 */
async function wakeUps(lab: Lab, pid: string): Promise<number> {
  const sum = `cat /proc/${pid}/task/*/status | awk '/^voluntary/ { n += $2 } END { print n }'`;
  const { stdout } = await lab.dom0(
    `sleep ${SETTLED_S}; before=$(${sum}); sleep ${IDLE_S}; echo $(($(${sum}) - before))`,
  );
  return Number(stdout);
}

/** Starts the guests beside those that run, lends each of them a device, and measures the backend. */
export async function measureGuests(lab: Lab, pid: string): Promise<readonly Goal[]> {
  for (const [at, busid] of BUSIDS.entries()) {
    const guest = `m${at + 1}`;
    const change = `s/^name = .*/name = "${guest}"/; s/^memory = .*/memory = 128/`;
    await lab.dom0(`sed '${change}' /etc/xen/pv1.cfg > /etc/xen/${guest}.cfg && guest-start ${guest}`);
    await lab.dom0(`pvusb attach ${guest} ${busid}`);
  }
  const memory = await memoryOf(lab, pid);
  const woken = await wakeUps(lab, pid);
  return [
    {
      goal: `memory of the backend with ${BUSIDS.length} guests: at most 120 MB`,
      figure: `${Math.round(memory / 1024)} MB`,
      met: memory <= MEMORY_MAX_KB,
    },
    { goal: `wake-ups in ${IDLE_S} s without requests: none`, figure: `${woken}`, met: woken === 0 },
  ];
}
