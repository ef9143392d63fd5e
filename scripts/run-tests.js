// Runs tests, the files of a folder in one process, and reports the results: a line per process, failures in full, what
// was skipped and why, and which tests took longest.
import { chmodSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { run } from 'node:test';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { root } from './bundle.js';
import { filesBelow } from './files.js';

const SLOWEST = 10;

/** What takes longest starts first, and the rest fills the CPUs beside it. A file named here has a process of its own. */
const LONGEST_FIRST = [
  'cli',
  'core',
  'small',
  'sweep/kill',
  'sweep/sweep',
  'sweep/sweep-qemu',
  'daemon',
  'core/cases/xenstored',
  'core/cases/oxenstored',
  'core/trouble/parallel',
  'cli/completion-shells',
  'examples/examples',
  'fuzz',
  'cli/process-terminal',
  'qmp',
  'cli/process',
  'sweep/random',
  'libxl/lock',
];

/** Folders whose tests take less than the start of a process, or little more: one process has them all. */
const SMALL = [
  '.',
  'audit',
  'client',
  'policy',
  'rules',
  'sysfs',
  'testing',
  'usb',
  'usbif',
  'web',
  'xenstore',
  'xenstored',
  'xlcfg',
];

/** No process takes this long: it ends what hangs. */
const HANG_MS = 15 * 60_000;

/**
 * The names of the test files, such as `core/cases/sim`. Taken from the sources: the compiled form of a deleted test
 * may still exist.
 */
export function testNames() {
  const folder = join(root, 'test');
  const ending = '.test.ts';
  return filesBelow(folder, ending).map((file) => file.slice(folder.length + 1, -ending.length));
}

/** More than enough room for what the tests have in files at a time; bytes. */
const ROOM = 256 * 2 ** 20;

/** A folder for the tests' files, in memory where that has room: simulated hosts are thousands of files. */
function makeScratch() {
  const memory = '/dev/shm';
  const inMemory = () => {
    try {
      const { bavail, bsize } = statfsSync(memory);
      return bavail * bsize > ROOM;
    } catch {
      return false;
    }
  };
  const folder = mkdtempSync(join(inMemory() ? memory : tmpdir(), 'pvusb-'));
  // Some tests run as users other than root.
  chmodSync(folder, 0o755);
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));
  return folder;
}

/** Files by the process that runs them: the start of one costs as much as many of the files. */
function processesOf(names) {
  const processes = new Map();
  for (const name of names) {
    const folder = dirname(name).split('/')[0];
    const shared = SMALL.includes(folder) ? 'small' : folder;
    const key = LONGEST_FIRST.includes(name) ? name : shared;
    processes.set(key, [...(processes.get(key) ?? []), name]);
  }
  const rank = ([key]) =>
    (LONGEST_FIRST.indexOf(key) + LONGEST_FIRST.length + 1) % (LONGEST_FIRST.length + 1);
  return [...processes].sort((one, other) => rank(one) - rank(other));
}

/**
 * The tests run most code a few times, in every possible way. V8's optimizing compiler, which usually waits for fewer
 * runs than that, costs them between a tenth and a third of their CPU time.
 */
const COMPILE_LATE = `import { setFlagsFromString } from 'node:v8';
setFlagsFromString('--interrupt-budget=600000');
`;

/**
 * A young generation of 16 MB from the start. V8 begins with 1 MB, and shrinks it again whenever a process waits; a test
 * process that waits often then collects garbage 3,000 times and not 200, a sixth of its CPU time. (Processes of
 * `node:test` get the options of the process that starts them.)
 */
const YOUNG = '--min-semi-space-size=16';

/** At the end of a process: what it and its children have used (proc(5): utime, stime, cutime, cstime). */
const TELL_CPU = `import { readFileSync, writeFileSync } from 'node:fs';
process.on('exit', () => {
  const fields = readFileSync('/proc/self/stat', 'utf8').replace(/^.*\\) /s, '').split(' ');
  writeFileSync(process.argv[1] + '.cpu', fields.slice(11, 15).join(' '));
});
`;

/** Seconds; none of a process that was killed. A tick is a hundredth of a second on every Linux. */
function cpuOf(main) {
  try {
    const [user, system, childrenUser, childrenSystem] = readFileSync(`${main}.cpu`, 'utf8').split(' ');
    return {
      user: (Number(user) + Number(childrenUser)) / 100,
      system: (Number(system) + Number(childrenSystem)) / 100,
    };
  } catch {
    return { user: 0, system: 0 };
  }
}

/** Runs the compiled test files with these names, `concurrency` processes at once; resolves to true if all pass. */
export async function runTests(names, concurrency) {
  const compiled = join(root, 'build', 'test');
  const scratch = makeScratch();
  Object.assign(process.env, { TMPDIR: scratch, PVUSB_TEST_RUN: scratch });
  const unhooked = join(root, 'scripts', 'unhooked.js');
  const nameOf = new Map();
  for (const [key, files] of processesOf(names)) {
    const [main, all] = ['main', 'all'].map((part) =>
      join(scratch, `${key.replaceAll('/', '-')}.${part}.mjs`),
    );
    const urlOf = (file) => JSON.stringify(pathToFileURL(file).href);
    // Everything is loaded before the first test runs: some count open files.
    const imports = files.map((name) => `import ${urlOf(join(compiled, `${name}.test.js`))};\n`);
    writeFileSync(all, imports.join(''));
    writeFileSync(
      main,
      `${COMPILE_LATE}${TELL_CPU}await import(${urlOf(unhooked)});\nawait import(${urlOf(all)});\n`,
    );
    nameOf.set(main, files.length === 1 ? files[0] : `${key}, ${files.length} files`);
  }
  const [passed, failures, skips, printed, told] = [[], [], new Map(), new Map(), new Set()];
  /** The suites that the current test is in, and the test itself. */
  const path = [];
  const sentence = ({ nesting }) => path.slice(0, nesting + 1).join(': ');
  const cpu = { user: 0, system: 0 };
  const seconds = (ms) => `${(ms / 1000).toFixed(1).padStart(6)} s`;

  const happened = {
    'test:stdout': ({ file, message }) => printed.set(file, `${printed.get(file) ?? ''}${message}`),
    // Each process says what is missing; once is enough.
    'test:stderr': ({ message }) => {
      if (!told.has(message)) process.stderr.write(message);
      told.add(message);
    },
    'test:complete': ({ file, name, details }) => {
      if (name !== file) return;
      const { user, system } = cpuOf(file);
      cpu.user += user;
      cpu.system += system;
      const took = `${seconds(details.duration_ms)} ${seconds(1000 * (user + system))} CPU`;
      console.log(`${details.passed ? 'ok  ' : 'FAIL'} ${took}  ${nameOf.get(file)}`);
    },
    'test:start': ({ nesting, name, file }) => {
      path[nesting] = nameOf.get(name === file ? file : undefined) ?? name;
    },
    'test:pass': (test) => {
      const { skip, details } = test;
      if (skip !== undefined) skips.set(skip, (skips.get(skip) ?? new Set()).add(sentence(test)));
      else if (details.type !== 'suite') passed.push({ sentence: sentence(test), ms: details.duration_ms });
    },
    'test:fail': (test) => {
      const { error } = test.details;
      if (error.failureType === 'subtestsFailed') return;
      const own = test.name === test.file ? (printed.get(test.file) ?? '') : '';
      const place = `${relative(compiled, test.file)}:${test.line}`;
      failures.push({
        sentence: `${sentence(test)} (${place})`,
        text: `${own}${inspect(error.cause ?? error)}`,
      });
    },
  };
  const startedMs = performance.now();
  process.execArgv.push(YOUNG);
  const running = run({ files: [...nameOf.keys()], concurrency, timeout: HANG_MS });
  for await (const { type, data } of running) happened[type]?.(data);
  const took = seconds(performance.now() - startedMs).trim();

  for (const failure of failures) console.log(`\nFAIL ${failure.sentence}\n${failure.text}`);
  for (const [why, which] of skips) console.log(`\nSKIPPED, ${why}:\n  ${[...which].join('\n  ')}`);
  console.log('\nThe slowest:');
  const slowest = passed.toSorted((one, other) => other.ms - one.ms).slice(0, SLOWEST);
  for (const test of slowest) console.log(`${seconds(test.ms)}  ${test.sentence}`);
  const skipped = [...skips.values()].reduce((sum, { size }) => sum + size, 0);
  console.log(
    `\nin ${took}, with ${Math.round(cpu.user)} s of CPU and ${Math.round(cpu.system)} s in the kernel:\n${passed.length} passed, ${failures.length} failed, ${skipped} skipped`,
  );
  return failures.length === 0 && passed.length + skipped > 0;
}
