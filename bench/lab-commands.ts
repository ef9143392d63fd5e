/**
 * Commands on a real Xen, xl's beside ours: started cold, and carried out by the daemon. The lab counts instructions as
 * time, so that figures repeat on a busy machine; only ratios mean something. Takes half an hour.
 */
import type { Lab } from '../lab/lab/lab.js';
import { installPvusb } from '../lab/lab/product.js';
import { startLab } from '../lab/lab/start.js';
import { median } from './measure.js';
import { type Goal, printGoals, printTable, times } from './report.js';

const ROUNDS = 5;
const GUEST = 'pv2';
const BUSID = '4-1';

/** The full program, which the launcher starts when no daemon runs. */
const FULL_PROGRAM = '/usr/lib/pvusb/pvusb';

/** At most this many times xl's time: for the full program, and for the daemon. */
const LIMITS = { cold: 3, daemon: 1 } as const;

/** What the goals are about: by the name of ours, the name of xl's that it is compared with. */
const PEERS: Readonly<Record<string, string>> = {
  'usbctrl-attach': 'usbctrl-attach',
  attach: 'usbdev-attach',
  'usbdev-attach': 'usbdev-attach',
  list: 'usb-list',
  'usb-list': 'usb-list',
  detach: 'usbdev-detach',
  'usbdev-detach': 'usbdev-detach',
  'usbctrl-detach': 'usbctrl-detach',
};

/** What is shown only, beside xl's shortest command. */
const SHOWN: Readonly<Record<string, string>> = { '--version': 'usb-list', devices: 'usb-list' };

/** Prints `PROGRAM COMMAND NANOSECONDS` for each command of one round. Whatever a change sets off ends before the next. */
const ROUND = `
pvusb=$1
timed() {
  began=$(date +%s%N)
  "$2" $3 > /tmp/said 2>&1 || { cat /tmp/said >&2; exit 1; }
  ended=$(date +%s%N)
  echo "$1 \${3%% *} $((ended - began))"
  sleep "\${4:-0}"
}
address="hostbus=$(cat /sys/bus/usb/devices/${BUSID}/busnum) hostaddr=$(cat /sys/bus/usb/devices/${BUSID}/devnum)"
for who in xl pvusb; do
  program=$who
  [ $who = pvusb ] && program=$pvusb
  timed $who $program 'usbctrl-attach ${GUEST} type=qusb version=2 ports=4' 2
  timed $who $program 'usbctrl-detach ${GUEST} 1' 2
  timed $who $program "usbdev-attach ${GUEST} $address controller=0 port=1" 4
  timed $who $program 'usb-list ${GUEST}'
  timed $who $program 'usbdev-detach ${GUEST} 0 1' 2
done
timed pvusb $pvusb 'attach ${GUEST} ${BUSID}' 4
timed pvusb $pvusb list
timed pvusb $pvusb devices
timed pvusb $pvusb 'detach ${BUSID}' 2
timed pvusb $pvusb --version
`;

/** The medians of the rounds with one program, in milliseconds of instructions, by `PROGRAM COMMAND`. */
async function measure(lab: Lab, program: string): Promise<ReadonlyMap<string, number>> {
  const samples = new Map<string, number[]>();
  for (let round = 0; round < ROUNDS; round++) {
    const { stdout } = await lab.dom0(`bash -s ${program}`, { input: ROUND });
    for (const line of stdout.trim().split('\n')) {
      const [who, command, ns] = line.split(' ');
      const key = `${who} ${command}`;
      samples.set(key, [...(samples.get(key) ?? []), Number(ns) / 1e6]);
    }
  }
  return new Map([...samples].map(([key, values]) => [key, median(values)]));
}

/** Prints one table; gives its goals. */
function report(title: string, measured: ReadonlyMap<string, number>, limit: number): readonly Goal[] {
  const goals: Goal[] = [];
  const rows = [['pvusb', 'xl', 'xl ms', 'pvusb ms', 'ratio']];
  for (const [ours, peer] of Object.entries({ ...PEERS, ...SHOWN })) {
    const [xl, pvusb] = [measured.get(`xl ${peer}`)!, measured.get(`pvusb ${ours}`)!];
    const ratio = pvusb / xl;
    rows.push([ours, peer, xl.toFixed(0), pvusb.toFixed(0), times(ratio)]);
    if (!Object.hasOwn(PEERS, ours)) continue;
    goals.push({
      goal: `${title}, ${ours}: at most ${times(limit)}`,
      figure: times(ratio),
      met: ratio <= limit,
    });
  }
  printTable(`${title}: medians of ${ROUNDS} rounds`, rows);
  return goals;
}

async function main(): Promise<void> {
  await using lab = await startLab({ name: 'bench-commands', warm: 'guests', icount: true });
  await installPvusb(lab);
  const goals = [...report('cold', await measure(lab, FULL_PROGRAM), LIMITS.cold)];
  await lab.dom0('(setsid pvusb serve > /var/log/pvusb-serve.log 2>&1 < /dev/null &)');
  await lab.dom0('until pvusb --host unix:/run/pvusb/api.sock list; do sleep 1; done');
  goals.push(...report('by the daemon', await measure(lab, 'pvusb'), LIMITS.daemon));
  if (!printGoals(goals)) process.exitCode = 1;
}

await main();
