/**
 * The backend's rings: requests a second of the engine, with a guest in the same process and a device that ends
 * everything at once, beside a loop in C that makes the same copies. CPU time, so that a busy machine does not count.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../src/async/index.js';
import { Blocks, plainMemory } from '../src/backend/blocks.js';
import type { DeviceListener, LentDevice, Transfer } from '../src/backend/boundary.js';
import { Budget } from '../src/backend/budget.js';
import { Controller } from '../src/backend/controller.js';
import { DEFAULT_RULES } from '../src/backend/firewall.js';
import { JOURNAL_BYTES, Journal } from '../src/backend/journal.js';
import { SourceSink } from '../src/backend/virtual/source-sink.js';
import { printTable } from './report.js';

const SLOTS = 16;
const PAGE = 4096;
const run = promisify(execFile);

/** A source that ends every transfer in the call that starts it. */
function instantDevice(): LentDevice {
  const ended: Transfer[] = [];
  let listener: DeviceListener | undefined;
  const nothing = async (): Promise<number> => 0;
  return {
    speed: 'high',
    untrustedDescriptors: new SourceSink().descriptors,
    untrustedBos: undefined,
    configuration: 3,
    start: (given) => {
      listener = given;
    },
    submit: (transfer) => {
      transfer.actualLength = transfer.length;
      ended.push(transfer);
      listener?.ready();
      return 0;
    },
    cancel: () => undefined,
    reap: () => ended.shift(),
    setConfiguration: nothing,
    setInterface: nothing,
    clearHalt: nothing,
    reset: nothing,
    close: async () => undefined,
  };
}

/** A guest that sends rings full of reads, each of so many pieces. */
async function engine(segments: number, length: number, rounds: number): Promise<number> {
  const rings = new Uint8Array(2 * PAGE);
  const words = new Uint32Array(rings.buffer);
  words[PAGE / 4] = 512;
  const pages = Array.from({ length: SLOTS }, () => new Uint8Array(PAGE));
  const memory = new Uint8Array(JOURNAL_BYTES);
  const journal = new Journal(memory);
  journal.begin({ urbRef: 1, connectionRef: 2, eventChannel: 3 });
  let wake: () => void = () => undefined;
  const controller = new Controller({
    domid: 1,
    portCount: 1,
    version: 2,
    memory: {
      urbRing: rings.subarray(0, PAGE),
      connectionRing: rings.subarray(PAGE),
      copy: ({ count, refs, offsets, lengths, blocks, places, toGuest }) => {
        for (let at = 0; at < count; at++) {
          const page = pages[refs[at]!]!.subarray(offsets[at]!, offsets[at]! + lengths[at]!);
          const local = blocks[at]!.bytes.subarray(places[at]!, places[at]! + lengths[at]!);
          if (toGuest[at]) page.set(local);
          else local.set(page);
        }
      },
      close: () => undefined,
    },
    channel: {
      notify: () => undefined,
      start: (onEvent) => {
        wake = onEvent;
      },
      close: () => undefined,
    },
    journal,
    blocks: new Blocks(plainMemory),
    budget: new Budget(),
    rules: DEFAULT_RULES,
    clock: systemClock,
    listener: { broken: fail, portChanged: () => undefined, log: fail },
  });
  controller.start();
  controller.plug(1, instantDevice());
  const put = (slot: number, request: readonly number[]): void => words.set(request, 16 + slot * 37);
  const send = (count: number): void => {
    words[0] = (words[0]! + count) >>> 0;
    wake();
  };
  const control = (...setup: [number, number]): number[] => [
    1,
    1 | ((words[0] ? 5 : 0) << 8) | (2 << 30),
    0,
    ...setup,
  ];
  put(0, control(0x0005_0500, 0));
  send(1);
  put(1, control(0x0003_0900, 0));
  send(1);
  await new Promise((resolve) => setImmediate(resolve));
  const buffer = Array.from({ length: segments }, (_, at) => [at, length << 16]).flat();
  const total = (segments * length) & 0xffff;
  const ring = (): void => {
    for (let slot = 0; slot < SLOTS; slot++) {
      put(slot, [
        slot | (segments << 16),
        1 | 0x80 | (5 << 8) | (1 << 15) | (3 << 30),
        total << 16,
        0,
        0,
        ...buffer,
      ]);
    }
    send(SLOTS);
  };
  for (let round = 0; round < rounds / 4; round++) ring();
  const before = words[2]!;
  const start = process.cpuUsage();
  for (let round = 0; round < rounds; round++) ring();
  const { user, system } = process.cpuUsage(start);
  const answered = (words[2]! - before) >>> 0;
  if (answered !== rounds * SLOTS) throw new Error(`${answered} of ${rounds * SLOTS} were answered`);
  const { failed, bytesIn } = controller.counters;
  if (failed > 0 || bytesIn === 0) throw new Error(`${failed} requests failed`);
  return answered / ((user + system) / 1e6);
}

function fail(reason: string): never {
  throw new Error(reason);
}

const folder = await mkdtemp(join(tmpdir(), 'pvusb-bench-'));
const program = join(folder, 'ring');
await run('gcc', ['-O2', '-o', program, join(import.meta.dirname, '../../bench/native/ring.c')]);
const rows: string[][] = [];
for (const [name, segments, length, rounds] of [
  ['512 bytes', 1, 512, 6000],
  ['4 KiB', 1, 4096, 6000],
  ['64 KiB', 16, 4096, 1000],
] as const) {
  const own = await engine(segments, length, rounds);
  const { stdout } = await run(program, [String(segments), String(length), String(rounds * 20)]);
  const shown = (perSecond: number): string => `${Math.round(perSecond / 1000)} k`;
  rows.push([name, shown(own), shown(Number(stdout)), `${(1e6 / own - 1e6 / Number(stdout)).toFixed(2)} us`]);
}
await rm(folder, { recursive: true });
printTable('requests a second of CPU time, rings of 16 reads', [
  ['each', 'engine', 'copies in C', 'engine without the copies'],
  ...rows,
]);
