/**
 * How long it takes to decide about 200 devices with 1,000 rules, compared with libusbguard on the same rules: for each
 * device, every rule is asked whether it applies. `npm run bench:rules`.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decide, formatRule, parseRules, type Rule } from '../src/rules/index.js';
import { parseDeviceName, parseInterfaceId, type UsbDevice } from '../src/sysfs/index.js';
import { cacheFolder, key, provide, unpackPackages } from '../test/support/packages.js';
import { projectRoot } from '../test/xenstored/fetch.js';
import { interleave, timed } from './measure.js';
import { Peer } from './peers.js';
import { ms, printGoals, printTable, times } from './report.js';

const ROUNDS = 15;
const DEVICES = 200;
const SIZES = [250, 500, 1000, 2000];
const LIMIT_US = 50_000;
/** Twice the rules may take this many times the time. */
const GROWTH_MAX = 2.5;

const hex = (number: number): string => number.toString(16).padStart(4, '0');

/** Devices in chains of hubs, eight models of 25 devices each. */
function devices(): UsbDevice[] {
  const hub = (name: string, serial: string): UsbDevice => ({ ...device(name, 0), kind: 'root-hub', serial });
  const all = Array.from({ length: DEVICES }, (_, i) =>
    device(`1-${1 + (i % 14)}.${1 + Math.floor(i / 14)}`, i),
  );
  return [hub('usb1', '0000:00:14.0'), ...all];
}

function device(name: string, i: number): UsbDevice {
  const busid = parseDeviceName(name)!;
  return {
    busid,
    kind: 'device',
    bus: 1,
    address: 1 + (i % 127),
    vendorId: hex(0x1000 + (i % 8)),
    productId: hex(1),
    deviceClass: '00',
    speedMbps: 480,
    serial: `SERIAL${i}`,
    product: `Device ${i}`,
    interfaces: [
      {
        id: parseInterfaceId(`${name.replace('usb', '')}-0:1.0`) ?? parseInterfaceId('1-1:1.0')!,
        number: 0,
        classes: '08/06/50',
      },
    ],
  };
}

/** Rules of the usual kinds; one in ten is about a device that is there. */
function rules(count: number): Rule[] {
  const kinds = [
    (i: number) => `auto u${i} id=${hex(0x1000 + (i % 8))}:0001 serial=SERIAL${i * 2}`,
    (i: number) => `auto u${i} id=${hex(i)}:${hex(i)}`,
    (i: number) => `deny * id=${hex(i)}:* interface=03/01/01`,
    (i: number) => `ask u${i} socket=0000:00:14.0/${1 + (i % 20)}.${1 + (i % 40)}`,
  ];
  const text = Array.from({ length: count }, (_, i) => kinds[i % kinds.length]!(i)).join('\n');
  const parsed = parseRules([{ path: 'rules', text }]);
  if (parsed.problems.length > 0) throw new Error(parsed.problems[0]!.message);
  return [...parsed.rules];
}

/** The same rules in USBGuard's language; a socket is its via-port. */
function inUsbguard({ mode, identity }: Rule): string {
  const { ids, serial, socket, interfaces } = identity;
  return [
    mode === 'deny' ? 'block' : 'allow',
    ...(ids === undefined ? [] : [ids]),
    ...(serial === undefined ? [] : [`serial "${serial}"`]),
    ...(socket === undefined ? [] : [`via-port "1-${socket.split('/')[1]}"`]),
    ...(interfaces === undefined
      ? []
      : [`with-interface one-of { ${interfaces.join(' ').replaceAll('/', ':')} }`]),
  ].join(' ');
}

function deviceInUsbguard({ busid, vendorId, productId, serial, product, interfaces }: UsbDevice): string {
  const classes = interfaces.map((one) => one.classes.replaceAll('/', ':'));
  return `device id ${vendorId}:${productId} serial "${serial}" name "${product}" via-port "${busid}" with-interface { ${classes.join(' ')} }`;
}

/** Compiles the peer against Debian's libusbguard; undefined, with the reason on standard error, where there is none. */
async function compile(): Promise<{ program: string; libraries: string } | undefined> {
  const packages = [
    'libusbguard-dev',
    'libusbguard1',
    'libqb100',
    'libprotobuf32',
    'libcap-ng0',
    'libaudit1',
    'libseccomp2',
    'libsodium23',
    'libumockdev0',
    'libglib2.0-0',
    'libpcap0.8',
    'libudev1',
    'libusb-1.0-0',
  ];
  const source = join(projectRoot(), 'bench/native/usbguard.cc');
  const folder = join(cacheFolder(), `libusbguard-${key(...packages)}`);
  try {
    await provide(folder, "Debian's libusbguard", (temporary) =>
      unpackPackages(temporary, 'libusbguard', packages),
    );
    const libraries = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu']
      .map((name) => join(folder, name))
      .filter(existsSync)
      .join(':');
    const program = join(projectRoot(), 'build', 'bench', 'usbguard');
    const [first] = libraries.split(':');
    await promisify(execFile)('g++', [
      '-O2',
      '-I',
      join(folder, 'usr/include'),
      '-o',
      program,
      source,
      '-L',
      first!,
      '-Wl,--unresolved-symbols=ignore-in-shared-libs',
      `-Wl,-rpath-link=${libraries}`,
      '-lusbguard',
    ]);
    return { program, libraries };
  } catch (error) {
    console.error(`NOT COMPARED with libusbguard: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}

const all = devices();
const plugged = all.filter(({ kind }) => kind === 'device');
const peerProgram = await compile();
const folder = mkdtempSync(join(tmpdir(), 'pvusb-bench-'));
const rows: string[][] = [];
const ours = new Map<number, number>();
let ratio = Number.NaN;
try {
  for (const size of SIZES) {
    const list = rules(size);
    writeFileSync(join(folder, 'rules'), `${list.map(inUsbguard).join('\n')}\n`);
    writeFileSync(join(folder, 'devices'), `${plugged.map(deviceInUsbguard).join('\n')}\n`);
    const text = list.map(formatRule).join('\n');
    await using peer = peerProgram
      ? new Peer(peerProgram.program, [join(folder, 'rules'), join(folder, 'devices')], {
          ...process.env,
          LD_LIBRARY_PATH: peerProgram.libraries,
        })
      : undefined;
    const measured = await interleave<string>(ROUNDS, {
      decide: () => timed(async () => decide(list, all)),
      read: () => timed(async () => decide(parseRules([{ path: 'rules', text }]).rules, all)),
      ...(peer ? { libusbguard: async () => (await peer.ask('go')).us } : {}),
    });
    const { decide: decided = Number.NaN, read: readAndDecided = Number.NaN, libusbguard: theirs } = measured;
    ours.set(size, decided);
    if (size === 1000 && theirs !== undefined) ratio = theirs / decided;
    rows.push([
      `${size} rules`,
      ms(decided),
      ms(readAndDecided),
      theirs === undefined ? '-' : ms(theirs),
      theirs === undefined ? '-' : times(theirs / decided),
    ]);
  }
} finally {
  rmSync(folder, { recursive: true });
}
printTable(`${DEVICES} devices (medians of ${ROUNDS} rounds, Node ${process.version})`, [
  ['', 'decide', 'read and decide', 'libusbguard', 'libusbguard / decide'],
  ...rows,
]);
const growth = ours.get(2000)! / ours.get(1000)!;
const isGood = printGoals([
  { goal: '1000 rules: below 50 ms', figure: ms(ours.get(1000)!), met: ours.get(1000)! < LIMIT_US },
  {
    goal: `twice the rules: at most ${GROWTH_MAX} x the time`,
    figure: times(growth),
    met: growth <= GROWTH_MAX,
  },
  { goal: 'not slower than libusbguard', figure: times(ratio), met: Number.isNaN(ratio) || ratio >= 1 },
]);
process.exitCode = isGood ? 0 : 1;
