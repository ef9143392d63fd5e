/**
 * On a real Xen host, as root: xl and pvusb in turns. Attaches a device to a guest, lists and detaches it; prints the
 * time of each command and the xenstore requests it makes, counted by a relay in front of xenstored.
 *
 *     node xl.js DOMAIN BUSID [ROUNDS]
 *
 * Self-contained, so that one file is all that a host needs besides pvusb and xl.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

/** Where xenstored listens (`XENSTORED_RUNDIR`). */
const XENSTORED = process.env.XENSTORED_PATH ?? '/var/run/xenstored/socket';

/** Size of a message's header (`xs_wire.h`: struct xsd_sockmsg): four numbers, the last is the length of what follows. */
const HEADER = 16;

/** One of the things that both programs do. */
interface Comparison {
  readonly name: string;
  readonly xl: readonly string[];
  readonly pvusb: readonly string[];
}

/** What one run of a command took. */
interface Sample {
  readonly ms: number;
  readonly requests: number;
}

/** Relays one connection after another to xenstored and counts the requests; runs in a thread of its own. */
function relay(path: string, count: Int32Array): void {
  createServer((client) => {
    const daemon = connect(XENSTORED);
    let held = Buffer.alloc(0);
    client.on('data', (chunk: Buffer) => {
      daemon.write(chunk);
      held = Buffer.concat([held, chunk]);
      while (held.length >= HEADER && held.length >= HEADER + held.readUInt32LE(12)) {
        held = held.subarray(HEADER + held.readUInt32LE(12));
        Atomics.add(count, 0, 1);
      }
    });
    daemon.on('data', (chunk: Buffer) => client.write(chunk));
    for (const [end, other] of [
      [client, daemon],
      [daemon, client],
    ] as const) {
      end.on('close', () => other.destroy());
      end.on('error', () => other.destroy());
    }
  }).listen(path, () => Atomics.store(count, 1, 1));
}

/** Runs a command to its end. Throws when it fails. */
function run(command: readonly string[], env: NodeJS.ProcessEnv): number {
  const [program, ...args] = command;
  const beganNs = process.hrtime.bigint();
  const { status, stderr, error } = spawnSync(program!, args, { env, encoding: 'utf8' });
  const ms = Number(process.hrtime.bigint() - beganNs) / 1e6;
  if (status === 0) return ms;
  throw new Error(`${command.join(' ')}: ${error?.message ?? `exit status ${status}: ${stderr.trim()}`}`);
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** `hostbus=4 hostaddr=2`: xl names a device by its address. */
function addressOf(busid: string): string[] {
  const read = (name: string): string => readFileSync(`/sys/bus/usb/devices/${busid}/${name}`, 'utf8').trim();
  return [`hostbus=${read('busnum')}`, `hostaddr=${read('devnum')}`];
}

/** The controller and port of the only attached device, from `xl usb-list`. */
function placeOf(domain: string): string[] {
  const { stdout } = spawnSync('xl', ['usb-list', domain], { encoding: 'utf8' });
  let devid = '';
  for (const line of stdout.split('\n')) {
    devid = /^(\d+) /.exec(line)?.[1] ?? devid;
    const port = /^ {2}Port (\d+): Bus/.exec(line)?.[1];
    if (port !== undefined) return [devid, port];
  }
  throw new Error(`nothing is attached to ${domain}`);
}

function measure(domain: string, busid: string, rounds: number, socket: string, count: Int32Array): void {
  const env = { ...process.env, XENSTORED_PATH: socket };
  const samples = new Map<string, Sample[]>();
  const sample = (name: string, command: readonly string[]): void => {
    const before = Atomics.load(count, 0);
    const ms = run(command, env);
    const requests = Atomics.load(count, 0) - before;
    samples.set(name, [...(samples.get(name) ?? []), { ms, requests }]);
  };
  for (let round = 0; round < rounds; round++) {
    sample('node xl', ['true']);
    sample('node pvusb', ['node', '-e', '0']);
    for (const who of ['xl', 'pvusb']) {
      const comparisons: readonly Comparison[] = [
        {
          name: 'attach',
          xl: ['usbdev-attach', domain, ...addressOf(busid)],
          pvusb: ['attach', domain, busid],
        },
        { name: 'list', xl: ['usb-list', domain], pvusb: ['list', domain] },
        { name: 'usb-list', xl: ['usb-list', domain], pvusb: ['usb-list', domain] },
      ];
      for (const comparison of comparisons)
        sample(`${comparison.name} ${who}`, [who, ...(who === 'xl' ? comparison.xl : comparison.pvusb)]);
      const [devid, port] = placeOf(domain);
      const detach = who === 'xl' ? ['usbdev-detach', domain, devid!, port!] : ['detach', busid];
      sample(`detach ${who}`, [who, ...detach]);
    }
  }
  const startMs = median(samples.get('node pvusb')!.map(({ ms }) => ms));
  process.stdout.write(`${rounds} rounds, medians; node -e 0 takes ${startMs.toFixed(0)} ms of each pvusb\n`);
  const row = (cells: readonly string[]): string => `${cells.map((cell) => cell.padStart(11)).join('')}\n`;
  process.stdout.write(
    row(['', 'xl ms', 'pvusb ms', 'ratio', 'less node', 'xl req.', 'pvusb req.', 'ratio']),
  );
  for (const name of ['attach', 'list', 'usb-list', 'detach']) {
    const [xl, ours] = [samples.get(`${name} xl`)!, samples.get(`${name} pvusb`)!];
    const [xlMs, ourMs] = [median(xl.map(({ ms }) => ms)), median(ours.map(({ ms }) => ms))];
    const [xlRequests, ourRequests] = [
      median(xl.map(({ requests }) => requests)),
      median(ours.map(({ requests }) => requests)),
    ];
    const times = [xlMs.toFixed(0), ourMs.toFixed(0), (ourMs / xlMs).toFixed(2)];
    const less = ((ourMs - startMs) / xlMs).toFixed(2);
    const counts = [`${xlRequests}`, `${ourRequests}`, (ourRequests / xlRequests).toFixed(2)];
    process.stdout.write(row([name, ...times, less, ...counts]));
  }
}

if (isMainThread) {
  const [domain, busid, rounds = '5'] = process.argv.slice(2);
  if (domain === undefined || busid === undefined) throw new Error('node xl.js DOMAIN BUSID [ROUNDS]');
  const folder = mkdtempSync(join(tmpdir(), 'pvusb-xl-'));
  const socket = join(folder, 'socket');
  const count = new Int32Array(new SharedArrayBuffer(8));
  // The commands are run synchronously, so the relay needs a thread of its own.
  const worker = new Worker(new URL(import.meta.url), { workerData: { socket, count } });
  worker.unref();
  while (Atomics.load(count, 1) === 0) await new Promise((resolve) => setImmediate(resolve));
  try {
    measure(domain, busid, Number(rounds), socket, count);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await worker.terminate();
  }
} else {
  const { socket, count } = workerData as { socket: string; count: Int32Array };
  relay(socket, count);
}
