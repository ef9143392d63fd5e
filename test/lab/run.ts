/**
 * Runs suites of the lab, those named or all, and prints the result of each case and how long it took. As many labs run
 * side by side as the machine has CPUs and memory for.
 */
import { readdirSync } from 'node:fs';
import { availableParallelism, freemem } from 'node:os';
import { join } from 'node:path';
import { run } from 'node:test';
import { inspect, parseArgs } from 'node:util';
import { LabError } from '../../lab/base/error.js';
import { progress } from '../../lab/base/progress.js';
import { build } from '../../lab/build/build.js';
import type { Suite } from '../../lab/debian/suites.js';
import { providePackage } from '../../lab/lab/product.js';
import { chosenRelease } from '../../lab/lab/start.js';
import { Limit } from '../../src/async/limit.js';
import { canServeQusb } from './matrix/setup.js';
import { formatReport, type Part, type PlayedCase } from './report.js';

/** The longest suites start first, so that none of them runs alone at the end. */
const LONGEST_FIRST = [
  'devicemodel',
  'backend',
  'backend-pvh',
  'daemon',
  'pv',
  'qusb',
  'pv-oxenstored',
  'qusb-oxenstored',
  'qusb-pvh',
  'defects-qusb',
  'defects-hvm',
  'defects-pv',
];

/** The memory of a lab, including what QEMU adds. */
const LAB_BYTES = 4 * 1024 ** 3;

/** A suite in which no case ends for so many minutes is hanging. */
const CASE_WITHIN_MINUTES = 45;

const ENDING = '.test.js';

/** They need a controller of type qusb. */
const WITH_QUSB = ['qusb', 'qusb-oxenstored', 'qusb-pvh', 'defects-qusb', 'safety'];

function choose(names: readonly string[], release: Suite): string[] {
  const all = readdirSync(import.meta.dirname).filter((name) => name.endsWith(ENDING));
  const suites = all.map((name) => name.slice(0, -ENDING.length));
  const unknown = names.find((name) => !suites.includes(name));
  if (unknown !== undefined)
    throw new LabError(`there is no suite ${unknown}; there are ${suites.join(', ')}`);
  const impossible = canServeQusb(release) ? [] : WITH_QUSB;
  const refused = names.find((name) => impossible.includes(name));
  if (refused !== undefined)
    throw new LabError(`${refused} needs type qusb, which does not work on ${release}: --release bookworm`);
  if (names.length === 0 && impossible.length > 0)
    progress(`not on ${release}, where type qusb does not work: ${impossible.join(', ')}`);
  const rank = (suite: string) =>
    (LONGEST_FIRST.indexOf(suite) + LONGEST_FIRST.length + 1) % (LONGEST_FIRST.length + 1);
  const chosen = names.length > 0 ? [...names] : suites.filter((suite) => !impossible.includes(suite));
  return chosen.sort((a, b) => rank(a) - rank(b));
}

function say(suite: string, text: string): void {
  for (const line of text.trimEnd().split('\n')) process.stdout.write(`${suite.padEnd(16)}${line}\n`);
}

async function timed(what: string, body: () => Promise<unknown>): Promise<Part> {
  const fromMs = Date.now();
  await body();
  return { what, ms: Date.now() - fromMs, cases: [] };
}

async function playSuite(suite: string): Promise<Part> {
  const cases: PlayedCase[] = [];
  const fromMs = Date.now();
  const hanging = new AbortController();
  const timer = setTimeout(() => {
    hanging.abort(new LabError(`no case has ended for ${CASE_WITHIN_MINUTES} minutes`));
  }, CASE_WITHIN_MINUTES * 60_000);
  const events = run({ files: [join(import.meta.dirname, suite + ENDING)], signal: hanging.signal });
  for await (const event of events) {
    if (event.type === 'test:stderr' || event.type === 'test:stdout') say(suite, event.data.message);
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    timer.refresh();
    const { name, details } = event.data;
    const hasFailed = event.type === 'test:fail';
    // A suite fails through its cases, or on its own: its lab did not come up.
    const error = event.type === 'test:fail' ? event.data.details.error : undefined;
    const ofCases = (error as { failureType?: string } | undefined)?.failureType === 'subtestsFailed';
    if (ofCases || (details.type === 'suite' && !hasFailed)) continue;
    cases.push({ sentence: name, ms: details.duration_ms, hasFailed });
    say(suite, `${hasFailed ? 'FAILED' : 'ok'}, ${(details.duration_ms / 1000).toFixed(1)} s: ${name}`);
    if (error) say(suite, inspect(error.cause ?? error));
  }
  clearTimeout(timer);
  return { what: suite, ms: Date.now() - fromMs, cases };
}

async function playAll(names: readonly string[]): Promise<boolean> {
  const fromMs = Date.now();
  const release = chosenRelease();
  const suites = choose(names, release);
  const parts = [
    await timed(`what a lab of Debian ${release} boots from`, () => build(release)),
    await timed('the pvusb package', async () => {
      process.env.PVUSB_DEB ??= await providePackage();
    }),
  ];
  const labs = Math.min(availableParallelism(), Math.floor(freemem() / LAB_BYTES));
  const limit = new Limit(Math.max(1, labs));
  parts.push(...(await Promise.all(suites.map((suite) => limit.run(() => playSuite(suite))))));
  process.stdout.write(formatReport(parts, Date.now() - fromMs));
  return parts.every(({ cases }) => cases.every(({ hasFailed }) => !hasFailed));
}

/** Which suites, and the release that all of them use. */
function readArguments(): string[] {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { release: { type: 'string' } },
  });
  // The suites are processes of their own.
  if (values.release !== undefined) process.env.PVUSB_LAB_RELEASE = values.release;
  return positionals;
}

try {
  if (!(await playAll(readArguments()))) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof LabError)) throw error;
  progress(error.message);
  process.exitCode = 1;
}
