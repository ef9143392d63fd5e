/**
 * Disks that are lent on a real Xen: a stick read and written by a guest through `pvusb backend`, beside the same stick
 * lent to the same kind of guest through QEMU (qusb). The lab counts instructions as time, so that figures repeat; only
 * ratios mean something. Takes some twenty minutes.
 */
import type { GuestName, Lab } from '../lab/lab/lab.js';
import { installPvusb } from '../lab/lab/product.js';
import { startLab } from '../lab/lab/start.js';
import { measureGuests } from './lab-guests.js';
import { median } from './measure.js';
import { type Goal, printGoals, printTable, times } from './report.js';

/** How one kind of transfer went: the medians of several rounds. */
interface Figures {
  readonly medianUs: number;
  readonly p99Us: number;
  readonly mbPerSecond: number;
}

const KINDS = {
  '512 B read': { words: '512 200 read', latency: true },
  '64 KiB read': { words: '65536 64 read', latency: false },
  '64 KiB read, scattered': { words: '65536 64 scattered', latency: false },
  '512 B write': { words: '512 200 write', latency: true },
  '64 KiB write': { words: '65536 64 write', latency: false },
} as const;

type Kind = keyof typeof KINDS;

const ROUNDS = 5;

/** What each kind has to reach, as times qusb: for latencies at most, for throughput at least. */
const GOALS: Readonly<Record<string, Partial<Record<Kind, number>>>> = {
  'SuperSpeed stick': {
    '512 B read': 0.75,
    '64 KiB read': 1.3,
    '64 KiB read, scattered': 4,
    '64 KiB write': 1.3,
  },
  'EHCI stick': { '512 B read': 1, '64 KiB read': 1.1, '64 KiB write': 1.1 },
};

const STICKS = [
  { title: 'SuperSpeed stick', busid: '4-1', label: 'LAB0001' },
  { title: 'EHCI stick', busid: '1-1', label: 'LAB0002' },
] as const;

const SERVERS = [
  { title: 'qusb', guest: 'pv2' },
  { title: 'pvusb', guest: 'pv1' },
] as const satisfies readonly { title: string; guest: GuestName }[];

async function measured(lab: Lab, guest: GuestName, label: string, words: string): Promise<Figures> {
  const disk = `until disk=$(findfs LABEL=${label}); do sleep 0.2; done`;
  const command = `${disk}; for round in $(seq ${ROUNDS}); do measure-disk $disk ${words} || exit 1; done`;
  const { stdout } = await lab.guest(guest, command, { withinSeconds: 900 });
  const rounds = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number));
  const [medianUs, p99Us, mbPerSecond] = [0, 1, 2].map((at) => median(rounds.map((round) => round[at]!)));
  return { medianUs: medianUs!, p99Us: p99Us!, mbPerSecond: mbPerSecond! };
}

/** Seconds of CPU that domain 0 has used. */
async function dom0Seconds(lab: Lab): Promise<number> {
  const { stdout } = await lab.dom0('xl list Domain-0');
  return Number(stdout.trim().split(/\s+/).at(-1));
}

/** The process that serves. */
async function serverPid(lab: Lab, title: string): Promise<string> {
  const command =
    title === 'pvusb'
      ? 'xenstore-read /libxl/pvusb/backend | cut -d " " -f 1'
      : 'xenstore-read /local/domain/$(xl domid pv2)/image/device-model-pid';
  return (await lab.dom0(command)).stdout.trim();
}

/** System calls of the process that serves, per URB of 512-byte reads: three URBs each. */
async function callsPerUrb(lab: Lab, title: string, guest: GuestName, label: string): Promise<number> {
  const reads = 1000;
  const pid = await serverPid(lab, title);
  // Looking for the disk reads, too.
  const disk = (await lab.guest(guest, `findfs LABEL=${label}`)).stdout.trim();
  await lab.dom0(`(strace -f -c -o /tmp/calls -p ${pid} > /dev/null 2>&1 &); sleep 2`);
  await lab.guest(guest, `measure-disk ${disk} 512 ${reads} read`, { withinSeconds: 900 });
  const { stdout } = await lab.dom0('pkill -INT strace; sleep 1; tail -n 1 /tmp/calls');
  const calls = Number(/(\d+)\s+(?:\d+\s+)?total/.exec(stdout)?.[1]);
  return calls / (3 * reads);
}

async function main(): Promise<void> {
  await using lab = await startLab({ name: 'bench', warm: 'guests', icount: true });
  await installPvusb(lab);
  await lab.dom0('(setsid pvusb backend > /var/log/pvusb-backend.log 2>&1 < /dev/null &)');
  const results = new Map<string, Figures>();
  const key = (stick: string, server: string, kind: Kind): string => `${stick} ${server} ${kind}`;
  const cpu: string[][] = [['domain 0, ms of CPU per MB', 'qusb', 'pvusb', 'ratio']];
  const calls: string[][] = [['system calls per URB', 'qusb', 'pvusb']];
  for (const { title: stick, busid, label } of STICKS) {
    const perMb: number[] = [];
    const perUrb: number[] = [];
    for (const { title: server, guest } of SERVERS) {
      await lab.dom0(`pvusb attach ${guest} ${busid}`);
      // What runs for the first time is not compiled yet.
      await measured(lab, guest, label, '512 3000 read');
      await measured(lab, guest, label, '65536 64 read');
      for (const kind of Object.keys(KINDS) as Kind[]) {
        const from = await dom0Seconds(lab);
        results.set(key(stick, server, kind), await measured(lab, guest, label, KINDS[kind].words));
        if (kind === '64 KiB read') perMb.push(((await dom0Seconds(lab)) - from) / (ROUNDS * 64 * 0.065536));
      }
      perUrb.push(await callsPerUrb(lab, server, guest, label));
      await lab.dom0(`pvusb detach ${busid}`);
    }
    const [qusb, own] = perMb as [number, number];
    cpu.push([stick, (1000 * qusb).toFixed(2), (1000 * own).toFixed(2), times(own / qusb)]);
    calls.push([stick, ...perUrb.map((one) => one.toFixed(1))]);
  }
  const rows = [['', 'qusb us (p99)', 'pvusb us (p99)', 'qusb MB/s', 'pvusb MB/s', 'ratio']];
  const goals: Goal[] = [];
  for (const { title: stick } of STICKS) {
    for (const kind of Object.keys(KINDS) as Kind[]) {
      const [qusb, own] = SERVERS.map(({ title }) => results.get(key(stick, title, kind))!) as [
        Figures,
        Figures,
      ];
      const { latency } = KINDS[kind];
      const ratio = latency ? own.medianUs / qusb.medianUs : own.mbPerSecond / qusb.mbPerSecond;
      const time = ({ medianUs, p99Us }: Figures): string => `${medianUs} (${p99Us})`;
      const speeds = [qusb, own].map(({ mbPerSecond }) => mbPerSecond.toFixed(1));
      rows.push([`${stick}, ${kind}`, time(qusb), time(own), ...speeds, times(ratio)]);
      const limit = GOALS[stick]?.[kind];
      if (limit !== undefined) {
        const goal = `${stick}, ${kind}: at ${latency ? 'most' : 'least'} ${times(limit)}`;
        goals.push({ goal, figure: times(ratio), met: latency ? ratio <= limit : ratio >= limit });
      }
      if (kind === '512 B read') {
        const tail = own.p99Us / qusb.p99Us;
        goals.push({ goal: `${stick}, ${kind}, p99: at most 1.50 x`, figure: times(tail), met: tail <= 1.5 });
      }
    }
  }
  printTable('a stick, through QEMU and through pvusb', rows);
  printTable('what it costs', cpu);
  printTable('what it asks of the kernel', calls);
  goals.push(...(await measureGuests(lab, await serverPid(lab, 'pvusb'))));
  if (!printGoals(goals)) process.exitCode = 1;
}

await main();
